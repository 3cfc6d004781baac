import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tokenStatusRepositoryContract } from '../../../../test/contracts/token-status-repository.contract.js';
import { openSqliteReadModel } from './sqlite-read-model.js';

tokenStatusRepositoryContract('SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'read-model-'));
  return Promise.resolve({
    open: (name, options) => openSqliteReadModel({ file: join(folder, name), ...options }),
    destroy: () => rm(folder, { recursive: true }),
  });
});
