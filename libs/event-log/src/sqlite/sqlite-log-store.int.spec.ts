import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventLogContract } from '../../../../test/contracts/event-log.contract.js';

eventLogContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'token-status-log-'));
  return {
    on: { kind: 'sqlite', file: join(folder, 'log.sqlite') },
    discard: () => rm(folder, { recursive: true }),
  };
});
