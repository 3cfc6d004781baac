import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { freePort } from '../../../../test/servers/index.js';
import { AppProcess } from '../../../../test/stack/app-process.js';
import { until } from '../../../../test/contracts/until.js';

/** Nobody listens there: what is asked for here needs no broker. */
const NO_BROKER = '127.0.0.1:1';

describe('the gateway as a process, with a configuration file', () => {
  let folder: string;
  let file: string;
  let gateway: AppProcess;
  const lines: string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'token-status-configuration-'));
    file = join(folder, 'gateway.json');
    lines.length = 0;
    const port = await freePort();
    gateway = new AppProcess({
      app: 'auth-gateway',
      url: `http://127.0.0.1:${port}`,
      env: {
        KAFKA_BROKERS: NO_BROKER,
        TOPIC_PREFIX: `configuration-${randomBytes(4).toString('hex')}`,
        PORT: String(port),
        CONFIGURATION_FILE: file,
      },
      onLine: (line) => lines.push(line),
    });
  });
  afterEach(async () => {
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const introspects = async (id: string): Promise<boolean> => {
    const answer = await fetch(`${gateway.url}/introspect`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${id}:its-secret`)}` },
      body: new URLSearchParams({ token: 'any' }),
    });
    // It knows nothing yet, and says so to who may ask.
    expect([401, 503]).toContain(answer.status);
    return answer.status === 503;
  };
  const naming = (id: string): string =>
    JSON.stringify({
      introspection: {
        clients: [{ id, secretSha256: createHash('sha256').update('its-secret').digest('hex') }],
      },
    });
  const logged = (text: string): Promise<void> =>
    until(() => lines.some((line) => line.includes(text)), 20_000, text);

  it('does not start on a wrong one: 78, and everything that is wrong', async () => {
    await writeFile(file, '{"failureLimits": {"burst": 0}, "introspektion": {}}');
    await gateway.start('spawned');
    await gateway.ended();
    const output = lines.join('\n');
    for (const pointer of ['/failureLimits/burst', '/failureLimits/perMinute', '/introspektion']) {
      expect(output).toContain(`CONFIGURATION_FILE (${file}): ${pointer} `);
    }
    expect(output).not.toContain('    at ');
    expect(await gateway.stop()).toBe(78);
  });

  it('follows it, keeps what holds where a new one is wrong, and ends cleanly', async () => {
    await writeFile(file, naming('first'));
    await gateway.start('livez');
    expect(await introspects('first')).toBe(true);

    await writeFile(`${file}.new`, naming('second'));
    await rename(`${file}.new`, file);
    await until(() => introspects('second'), 20_000, 'the second one');
    expect(await introspects('first')).toBe(false);

    await writeFile(file, naming('not a name'));
    await logged('/introspection/clients/0/id must be');
    expect(await introspects('second')).toBe(true);
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toContain(
      'gateway_configuration_faults_total 1',
    );
    expect(await gateway.stop()).toBe(0);
  });

  it('looks at it on SIGHUP, and goes on', async () => {
    await writeFile(file, naming('first'));
    await gateway.start('livez');
    await writeFile(file, naming('second'));
    process.kill(gateway.pid ?? 0, 'SIGHUP');
    await until(() => introspects('second'), 20_000, 'the second one');
    expect(gateway.running).toBe(true);
  });
});
