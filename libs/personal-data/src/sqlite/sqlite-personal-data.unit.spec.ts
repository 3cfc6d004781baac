import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { personalDataContract } from '../../../../test/contracts/personal-data.contract.js';
import { openSqlitePersonalData } from './sqlite-personal-data.js';

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'personal-data-'));

personalDataContract('SQLite', () => {
  const folder = newFolder();
  return Promise.resolve({
    open: (options) => openSqlitePersonalData({ file: join(folder, 'keys.db'), ...options }),
    destroy: () => rm(folder, { recursive: true }),
  });
});

describe('the SQLite key file', () => {
  it('is readable by its owner only, and holds no trace of a destroyed key', async () => {
    const folder = newFolder();
    const file = join(folder, 'keys.db');
    const personalData = await openSqlitePersonalData({ file, masterKey: randomBytes(32) });
    try {
      await personalData.seal('u-1', 'name');
      const db = new Database(file);
      const { wrapped } = db.prepare('SELECT wrapped FROM user_keys').get() as { wrapped: Buffer };
      db.close();
      const found = (): boolean =>
        readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(wrapped));
      expect(found()).toBe(true);
      await personalData.forget('u-1');
      expect(found()).toBe(false);
      for (const name of readdirSync(folder)) {
        expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
      }
    } finally {
      await personalData.close();
      rmSync(folder, { recursive: true });
    }
  });
});
