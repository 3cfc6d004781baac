import { describe, expect, it } from '@jest/globals';
import { createFailpoints } from './failpoint.js';
import { SettingsError } from './settings/settings-error.js';

/** How many of ten visits to `relay:sent` were survived before the first death. */
function survived(env: Record<string, string>): number {
  const deaths: number[] = [];
  let visits = 0;
  const failpoint = createFailpoints(env, () => deaths.push(visits));
  for (; visits < 10; visits++) {
    failpoint('relay:other');
    failpoint('relay:sent');
  }
  return deaths[0] ?? visits;
}

describe('a failpoint', () => {
  it('kills at the step it names, the first time or the n-th', () => {
    const NODE_ENV = 'test';
    expect(survived({ NODE_ENV, TOKEN_STATUS_FAILPOINT: 'relay:sent' })).toBe(0);
    expect(survived({ NODE_ENV, TOKEN_STATUS_FAILPOINT: 'relay:sent@3' })).toBe(2);
    expect(survived({ NODE_ENV, TOKEN_STATUS_FAILPOINT: 'relay:sent@11' })).toBe(10);
    expect(survived({ NODE_ENV, TOKEN_STATUS_FAILPOINT: 'relay:stored' })).toBe(10);
  });

  it('does nothing where none is set', () => {
    expect(survived({})).toBe(10);
    expect(survived({ NODE_ENV: 'production', TOKEN_STATUS_FAILPOINT: '' })).toBe(10);
  });

  it('is refused outside of tests, and where it is malformed', () => {
    const env = { TOKEN_STATUS_FAILPOINT: 'relay:sent' };
    expect(() => createFailpoints(env)).toThrow(SettingsError);
    expect(() => createFailpoints({ ...env, NODE_ENV: 'production' })).toThrow(SettingsError);
    for (const malformed of ['@1', 'a@', 'a@0', 'a@x', 'a@1@2']) {
      expect(() =>
        createFailpoints({ NODE_ENV: 'test', TOKEN_STATUS_FAILPOINT: malformed }),
      ).toThrow(SettingsError);
    }
  });
});
