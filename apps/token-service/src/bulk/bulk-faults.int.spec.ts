import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { LogUnavailable } from '@token-status/event-log';
import { startService } from '../given/service.spec.js';
import type { ServiceUnderTest } from '../given/service.spec.js';
import type { BulkJson } from './bulk-tokens.controller.js';
import { appendTokens } from './given-tokens.spec.js';

let service: ServiceUnderTest;
/** How many commands the log still takes. */
let takes = Infinity;

beforeAll(async () => {
  service = await startService({
    settings: { bulkTimeoutMs: 1500 },
    around: ({ log, ...rest }) => ({
      ...rest,
      log: {
        ...log,
        decideAndAppend: (submission) =>
          --takes < 0
            ? Promise.reject(new LogUnavailable('no answer'))
            : log.decideAndAppend(submission),
      },
    }),
  });
});
afterAll(() => service.close());

const bulk = (ids: readonly string[], key: string) =>
  service.call('POST', '/v1/tokens/bulk', {
    as: 'writer',
    body: { action: 'disable', ids },
    headers: { 'idempotency-key': key },
  });

it('a log that goes away in the middle leaves the rest to a repeat, and says so', async () => {
  const ids = await appendTokens(service.log, () => Promise.resolve('sealed'), 20);
  takes = 9;
  const first = await bulk(ids, 'cut-short');
  expect([first.status, first.json.code]).toEqual([503, 'bulk-incomplete']);
  expect(first.headers.get('retry-after')).toBe('1');
  // The key was claimed by one of the nine.
  expect(first.json).toMatchObject({ of: 20, counts: { changed: 8, unchanged: 0, refused: 0 } });
  takes = Infinity;
  const second = await bulk(ids, 'cut-short');
  expect(second.status).toBe(200);
  expect((second.json as unknown as BulkJson).counts.changed).toBe(20);
  const disables = (await service.events()).filter(({ type }) => type === 'TokenDisabled');
  expect(disables.map(({ data }) => data.tokenId).sort()).toEqual([...ids].sort());
});
