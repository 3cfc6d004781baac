import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../../../../test/contracts/until.js';
import { Caller } from '../../../../test/scenarios/caller.js';
import { freePort } from '../../../../test/servers/index.js';
import { AppProcess } from '../../../../test/stack/app-process.js';
import type { EventJson } from '../token-events/event-json.js';
import type { TokenPageJson } from '../search-tokens/search-tokens.controller.js';
import { listen } from './given-stream.spec.js';

/** The same reading on the embedded default. */
describe('reading from the standalone, on SQLite', () => {
  let standalone: AppProcess;
  let dataDir: string;
  let admin: Caller;
  let alice: Caller;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'standalone-reading-'));
    const [api, gateway, issuer] = [await freePort(), await freePort(), await freePort()];
    standalone = new AppProcess({
      app: 'standalone',
      url: `http://127.0.0.1:${api}`,
      env: {
        DATA_DIR: dataDir,
        API_PORT: String(api),
        GATEWAY_PORT: String(gateway),
        ISSUER_PORT: String(issuer),
      },
    });
    await standalone.start();
    const at = `http://localhost:${issuer}`;
    admin = await Caller.user(at, standalone.url, 'admin@example.com');
    alice = await Caller.user(at, standalone.url, 'alice@example.com');
  }, 60_000);
  afterAll(async () => {
    await standalone.stop();
    await rm(dataDir, { recursive: true, force: true });
  }, 30_000);

  it('searches, tells the history, and streams, also after a restart', async () => {
    const token = admin.authorization.replace('Bearer ', '');
    const listener = listen(`${standalone.url}/v1/stream`, token);
    try {
      await until(() => listener.opened > 0);
      const { body } = await alice.call('POST', '/v1/users/u-alice/tokens', { name: 'Éclair' });
      const { id } = body;
      const disabled = await admin.call('POST', `/v1/tokens/${id}/disable`, { note: 'why?' });
      const { position } = disabled.body;
      const found = await admin.call<TokenPageJson>(
        'GET',
        `/v1/tokens?name=${encodeURIComponent('éCLAIR')}&status=disabled&minPosition=${position}`,
      );
      expect(found.body).toEqual({ tokens: [disabled.body], next: null });
      const history = await alice.call<{ readonly events: readonly EventJson[] }>(
        'GET',
        `/v1/tokens/${id}/events`,
      );
      expect(history.body.events.map(({ type }) => type)).toEqual(['TokenAdded', 'TokenDisabled']);

      await standalone.stop();
      await standalone.start();
      const enabled = await admin.call('POST', `/v1/tokens/${id}/enable`);
      await listener.hasCome(enabled.body.position);
      expect(listener.heard.slice(-1).map((each) => each.token)).toEqual([enabled.body]);
      const positions = listener.heard.map((each) => each.id);
      expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
      expect(positions.slice(-2)).toEqual([position, enabled.body.position]);
    } finally {
      listener.close();
    }
  }, 60_000);
});
