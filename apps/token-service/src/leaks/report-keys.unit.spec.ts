import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { anyReportKeys, NO_REPORT_KEYS, reportKeysAtUrl } from './report-keys.js';
import type { KeysAtUrlOptions, ReportKeys } from './report-keys.js';

const pem = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .publicKey.export({ type: 'spki', format: 'pem' })
    .toString();

let server: Server;
let url: string;
/** What the scanner publishes: identifiers, a status, or nothing at all. */
let published: string[] | number | 'silence' | 'elsewhere' | 'endless';
let asked: number;
let now: number;

beforeEach(async () => {
  [published, asked, now] = [['k1'], 0, 0];
  server = createServer((_, response) => {
    asked++;
    if (published === 'silence') return;
    if (published === 'elsewhere') {
      response.writeHead(302, { location: '/other' }).end();
    } else if (published === 'endless') {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    } else if (typeof published === 'number') {
      response.writeHead(published).end();
    } else {
      const keys = published.map((key_identifier) => ({ key_identifier, key: pem() }));
      response.end(JSON.stringify({ public_keys: keys }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
});
afterEach(
  () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
);

const keysAtUrl = (options: Partial<KeysAtUrlOptions> = {}): ReportKeys =>
  reportKeysAtUrl({ url, monotonic: () => now, timeoutMs: 5000, ...options });
const SECOND = 1000;
const HOUR = 3600 * SECOND;

describe('the keys that a scanner publishes', () => {
  it('are fetched once for all who ask at once, and kept', async () => {
    const keys = keysAtUrl();
    const found = await Promise.all(Array.from({ length: 20 }, () => keys.keyFor('k1')));
    expect(new Set(found).size).toBe(1);
    expect(found[0]?.asymmetricKeyType).toBe('ec');
    now += HOUR - SECOND;
    await keys.keyFor('k1');
    expect(asked).toBe(1);
  });

  it('are fetched anew for an identifier that is not known, and not for every one', async () => {
    const keys = keysAtUrl();
    await keys.keyFor('k1');
    published = ['k1', 'k2'];
    expect(await keys.keyFor('k2')).toBeNull();
    now += 31 * SECOND;
    expect(await keys.keyFor('k2')).not.toBeNull();
    for (let n = 0; n < 50; n++) expect(await keys.keyFor(`made-up-${n}`)).toBeNull();
    expect(asked).toBe(2);
  });

  it('go on to be used while the scanner is away, but not for ever', async () => {
    const keys = keysAtUrl();
    const first = await keys.keyFor('k1');
    published = 500;
    now += 23 * HOUR;
    expect(await keys.keyFor('k1')).toBe(first);
    now += 2 * HOUR;
    // One of these may have joined the fetch that went on behind the last.
    await expect(keys.keyFor('k1')).rejects.toThrow('answered 500');
    await expect(keys.keyFor('k1')).rejects.toThrow();
    await expect(keys.keyFor('k1')).rejects.toThrow('a moment ago');
    published = ['k1'];
    now += 31 * SECOND;
    expect(await keys.keyFor('k1')).not.toBeNull();
  });

  it('are fetched behind the reports’ backs once they are an hour old, so that one that was withdrawn goes', async () => {
    const keys = keysAtUrl();
    await keys.keyFor('k1');
    published = ['k2'];
    now += HOUR;
    expect(await keys.keyFor('k1')).not.toBeNull();
    while (asked < 2 || (await keys.keyFor('k2')) === null) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await keys.keyFor('k1')).toBeNull();
    expect(asked).toBe(2);
  });

  it.each([
    ['silence', { timeoutMs: 100 }],
    ['elsewhere', {}],
    ['endless', {}],
    [404, {}],
  ] as const)('that can not be had (%s) are told from none', async (how, options) => {
    published = how;
    await expect(keysAtUrl(options).keyFor('k1')).rejects.toThrow();
  });

  it('stand beside others, and none is nobody’s', async () => {
    const both = anyReportKeys([NO_REPORT_KEYS, keysAtUrl()]);
    expect(await both.keyFor('k1')).not.toBeNull();
    expect(await both.keyFor('k2')).toBeNull();
    expect(await anyReportKeys([]).keyFor('k1')).toBeNull();
  });
});
