import { expect, it } from '@jest/globals';
import { PROBLEMS } from '@token-status/contracts';
import { PLATFORM_PROBLEMS } from '@token-status/platform';

it('what the platform answers by itself stands in the table that documents are made from, word for word', () => {
  expect(PROBLEMS).toMatchObject(PLATFORM_PROBLEMS);
});

it('a problem has an error status, a code of lower-case words, and a title without a full stop', () => {
  for (const [code, { status, title }] of Object.entries(PROBLEMS)) {
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect([code, status >= 400 && status < 600]).toEqual([code, true]);
    expect([code, /^[A-Z].*[^.]$/.test(title)]).toEqual([code, true]);
  }
});
