import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SettingsError, createLogger } from '@token-status/platform';
import { ConfigurationFile } from './configuration-file.js';
import type { ConfigurationFileOptions } from './configuration-file.js';
import { until } from '../../../../test/contracts/until.js';

/** So long that whatever happens in a test has been seen by watching. */
const NEVER_MS = 2 ** 31 - 1;

let folder: string;
let file: string;
let opened: ConfigurationFile | undefined;
const lines: string[] = [];
const logger = createLogger({
  name: 'test',
  level: 'info',
  destination: { write: (line: string) => lines.push(line) },
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'token-status-configuration-'));
  file = join(folder, 'gateway.json');
  lines.length = 0;
});
afterEach(async () => {
  await opened?.close();
  opened = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** At once, so that nobody sees half of it. */
async function put(content: string): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

const saying = (burst: number): string =>
  JSON.stringify({ failureLimits: { burst, perMinute: 60 } });

async function open(
  options: Partial<ConfigurationFileOptions> = {},
  content = saying(1),
): Promise<ConfigurationFile> {
  await writeFile(file, content);
  opened = await ConfigurationFile.open({
    file,
    logger,
    pollEveryMs: NEVER_MS,
    settleMs: 10,
    ...options,
  });
  return opened;
}
const burst = (): number | undefined => opened?.configuration.current.failureLimits?.burst;
const becomes = (expected: number): Promise<void> =>
  until(() => burst() === expected, 20_000, `burst ${expected}`);
const faulty = (): Promise<void> =>
  until(() => opened?.configuration.state.fault !== null, 20_000, 'a fault');

describe('a configuration that follows its file', () => {
  it.each([
    ['is written over', async (next: string) => writeFile(file, next)],
    ['is replaced by another, as editors do', put],
    [
      'is deleted and made again',
      async (next: string) => {
        await unlink(file);
        await writeFile(file, next);
      },
    ],
  ])('changes when the file %s', async (_, change) => {
    await open({ settleMs: 250 });
    expect(burst()).toBe(1);
    await change(saying(2));
    await becomes(2);
    await change(saying(3));
    await becomes(3);
    expect(opened?.configuration.faults).toBe(0);
  });

  it('changes when a link above the file is turned around, as a ConfigMap’s is', async () => {
    for (const [version, content] of [
      ['..1', saying(1)],
      ['..2', saying(2)],
    ] as const) {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, 'gateway.json'), content);
    }
    await symlink('..1', join(folder, '..data'));
    await symlink(join('..data', 'gateway.json'), file);
    opened = await ConfigurationFile.open({ file, logger, pollEveryMs: NEVER_MS, settleMs: 10 });
    expect(burst()).toBe(1);
    await symlink('..2', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await becomes(2);
  });

  it('changes without being told by the file system, too', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'token-status-configuration-'));
    try {
      const target = join(elsewhere, 'there.json');
      await writeFile(target, saying(1));
      await symlink(target, file);
      opened = await ConfigurationFile.open({ file, logger, pollEveryMs: 20, settleMs: 10 });
      await writeFile(target, saying(2));
      await becomes(2);
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });

  it('changes at once when it is told to', async () => {
    await open({ settleMs: NEVER_MS });
    await writeFile(file, saying(2));
    await opened?.reload();
    expect(burst()).toBe(2);
  });

  it('ends with the last of many quick changes', async () => {
    await open();
    const told: number[] = [];
    opened?.configuration.onChange(({ failureLimits }) => told.push(failureLimits?.burst ?? 0));
    for (let n = 2; n <= 40; n++) {
      await writeFile(file, saying(n));
      void opened?.reload();
    }
    await becomes(40);
    await opened?.reload();
    expect(burst()).toBe(40);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(40);
  });

  it('keeps the old one where the new one is wrong, says why, counts it, and takes the next', async () => {
    await open();
    const { digest, loadedAt } = opened!.configuration.state;
    const told: unknown[] = [];
    opened?.configuration.onChange((next) => told.push(next));
    await put('{"failureLimits":{"burst":0,"perMinute":60},"routes":{"a":{}}}');
    await faulty();
    expect(opened?.configuration.state).toEqual({
      digest,
      loadedAt,
      fault: '/failureLimits/burst must be at least 1',
    });
    expect(opened?.configuration.current.routes.size).toBe(0);
    expect({ burst: burst(), told, faults: opened?.configuration.faults }).toEqual({
      burst: 1,
      told: [],
      faults: 1,
    });
    expect(lines.filter((line) => line.includes('/failureLimits/burst'))).toHaveLength(1);

    await put(saying(2));
    await becomes(2);
    expect(opened?.configuration.state.fault).toBeNull();
    expect(told).toHaveLength(1);
  });

  it('says so once, however often it looks, while the file is wrong or gone', async () => {
    await open({ pollEveryMs: 5 });
    await unlink(file);
    await faulty();
    expect(opened?.configuration.state.fault).toBe('the file is not there');
    for (let n = 0; n < 10; n++) await opened?.reload();
    expect({ burst: burst(), faults: opened?.configuration.faults }).toEqual({
      burst: 1,
      faults: 1,
    });
    // The very content that it had before: nothing changes, and nothing is wrong any more.
    await put(saying(1));
    await until(() => opened?.configuration.state.fault === null, 20_000, 'no fault');
    expect(opened?.configuration.faults).toBe(1);
  });

  it('does not take half of a change for a wrong one', async () => {
    await open({ settleMs: 5000 });
    await writeFile(file, '{"failureLi');
    await opened?.reload();
    await opened?.reload();
    expect(opened?.configuration.state.fault).toBeNull();
    await writeFile(file, saying(2));
    await becomes(2);
    expect(opened?.configuration.faults).toBe(0);
  });

  it('follows the file when its folder is gone for a while', async () => {
    await open({ pollEveryMs: 10 });
    await rm(folder, { recursive: true });
    await faulty();
    await mkdir(folder);
    await writeFile(file, saying(2));
    await becomes(2);
  });

  it('follows no more once it is closed', async () => {
    await open({ pollEveryMs: 5 });
    await opened?.close();
    await writeFile(file, saying(2));
    await opened?.reload();
    expect(burst()).toBe(1);
  });

  it('shows nothing of a secret in its lines', async () => {
    await open();
    const k = Buffer.alloc(32, 9).toString('base64url');
    const keys = [{ kty: 'oct', alg: 'HS256', kid: 'relay', k }];
    await put(JSON.stringify({ verificationKeys: { keys } }));
    await until(
      () => opened?.configuration.current.verificationKeys !== null,
      20_000,
      'there are keys',
    );
    await put(JSON.stringify({ verificationKeys: { keys: [{ ...keys[0], alg: k }] } }));
    await faulty();
    expect(lines.join('')).toContain('"verificationKeyIds":["relay"]');
    expect(lines.join('') + JSON.stringify(opened?.configuration.state)).not.toContain(k);
  });

  describe('is refused at the start', () => {
    it('with everything that is wrong, and where', async () => {
      await writeFile(file, '{"failureLimits":{"burst":0},"route":{}}');
      const fault: unknown = await ConfigurationFile.open({ file, logger }).catch(
        (thrown: unknown) => thrown,
      );
      expect(fault).toBeInstanceOf(SettingsError);
      const { message } = fault as SettingsError;
      for (const part of ['/failureLimits/burst', '/failureLimits/perMinute', '/route ']) {
        expect(message).toContain(`CONFIGURATION_FILE (${file}): ${part}`);
      }
    });

    it.each([
      ['that is not there', () => Promise.resolve(), 'is not there'],
      ['that is a folder', () => mkdir(file), 'is no file'],
      [
        'that is too large',
        () => writeFile(file, ' '.repeat(1024 * 1024) + '{}'),
        'is larger than',
      ],
    ])('a file %s', async (_, make, why) => {
      await make();
      await expect(ConfigurationFile.open({ file, logger })).rejects.toThrow(why);
    });
  });
});
