import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { topics } from '@token-status/contracts';
import { WebSocket } from 'ws';
import { until } from '../contracts/until.js';
import { Caller, bearer } from '../scenarios/caller.js';
import { deleteTopics } from '../servers/delete-topics.js';
import { dropDatabases } from '../servers/drop-databases.js';
import { repository } from '../servers/repository.js';
import { makeStack } from '../stack/stack.js';
import type { Stack } from '../stack/stack.js';

/**
 * What somebody else does with the library: takes the tarball into an empty project, writes gateways with
 * Express, Fastify and Nest (`gateway/`), compiles them, and runs them beside our token-service and relay.
 */

const run = promisify(execFile);
const tsc = join(repository, 'node_modules/typescript/bin/tsc');

/** What their project needs of others, in the versions that are ours, which npm has in its cache. */
const OTHERS = [
  ...['express', '@types/express', 'fastify', 'ws', '@types/ws', '@types/node'],
  ...['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'],
];

async function versioned(name: string): Promise<string> {
  const manifest = join(repository, 'node_modules', name, 'package.json');
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  return `${name}@${version}`;
}

type Framework = 'express' | 'fastify' | 'nest';
const FRAMEWORKS: readonly Framework[] = ['express', 'fastify', 'nest'];

let folder: string;
let project: string;
let tarball: string;
/** What the compiler said of the gateways; its output is in `built`. */
let compiled: Promise<string>;

const pack = async (destination: string): Promise<string> => {
  const script = join(repository, 'tools/pack-room.mjs');
  const args = [script, 'token-guard', '--pack-destination', destination];
  return (await run(process.execPath, args, { timeout: 120_000 })).stdout.trim();
};

/** @returns what the compiler says, or the fault of running it. */
const compile = (...how: readonly string[]): Promise<string> =>
  run(process.execPath, [tsc, ...how], { cwd: project, timeout: 120_000 }).then(
    ({ stdout }) => stdout,
    (fault: unknown) => [(fault as { stdout?: string }).stdout, String(fault)].join('\n'),
  );

/** The files below a folder, each with its text. */
async function filesBelow(top: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(top, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    files.set(file.slice(top.length + 1), await readFile(file, 'utf8'));
  }
  return files;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'token-guard-package-'));
  project = join(folder, 'project');
  tarball = await pack(join(folder, 'packed'));
  await cp(join(import.meta.dirname, 'gateway'), project, { recursive: true });
  await writeFile(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  const common = await versioned('@nestjs/common');
  const platform = common.replace('common', 'platform-express');
  const others = await Promise.all(OTHERS.map(versioned));
  await run(
    'npm',
    [
      ...['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'],
      ...[tarball, ...others, platform],
    ],
    { cwd: project, timeout: 180_000 },
  );
  compiled = compile();
}, 300_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the package', () => {
  it('holds what runs and its types, and nothing of where it was made', async () => {
    const files = await filesBelow(join(project, 'node_modules/@token-status/token-guard'));
    const strange = [...files.keys()].filter(
      (name) =>
        !/^dist\/[a-z/.-]+\.(d\.ts|js)$/.test(name) && !/^(package\.json|README\.md)$/.test(name),
    );
    expect(strange).toEqual([]);
    expect([...files.keys()].filter((name) => name.includes('.spec'))).toEqual([]);
    const telling = [...files].filter(
      ([, text]) => text.includes(repository) || text.includes('sourceMappingURL'),
    );
    expect(telling.map(([name]) => name)).toEqual([]);
    const imports = [...files].filter(([name, text]) => {
      return name !== 'README.md' && /(from|import\()\s*['"]@token-status\//.test(text);
    });
    expect(imports.map(([name]) => name)).toEqual([]);
  });

  it('is the same to the byte when it is made again', async () => {
    const again = await pack(join(folder, 'again'));
    expect((await readFile(again)).equals(await readFile(tarball))).toBe(true);
  }, 120_000);

  it('needs of others what its package.json says, and no framework', async () => {
    // In a project of its own: no framework, and nothing above it.
    const lonely = join(folder, 'lonely');
    await mkdir(lonely);
    await writeFile(join(lonely, 'package.json'), '{ "private": true, "type": "module" }\n');
    const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'];
    await run('npm', [...args, tarball], { cwd: lonely, timeout: 120_000 });
    expect(await readdir(join(lonely, 'node_modules'))).not.toContain('express');
    const program = `
      import { createTokenGuard } from '@token-status/token-guard';
      import { tokenGuard } from '@token-status/token-guard/express';
      import { tokenGuard as plugin } from '@token-status/token-guard/fastify';
      const kafka = { brokers: ['127.0.0.1:1'] };
      const guard = createTokenGuard({ kafka, gatewayId: 'lonely' });
      const { finding } = guard.check({ authorization: 'Bearer it' });
      await guard.close();
      console.log(typeof tokenGuard, typeof plugin, finding);
      `;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: lonely,
      timeout: 30_000,
    });
    expect(stdout).toBe('function function stale\n');
  }, 180_000);

  it('has types that hold, strictly, where Node resolves them', async () => {
    expect(await compiled).toBe('');
  }, 120_000);

  it('has types that hold, strictly, where a bundler resolves them', async () => {
    const how = ['--noEmit', '--module', 'ESNext', '--moduleResolution', 'bundler'];
    expect(await compile(...how)).toBe('');
  }, 120_000);
});

describe("somebody else's gateways", () => {
  let stack: Stack;
  let service: Caller;
  let gateways: ChildProcess;
  let ports: Readonly<Record<Framework, number>>;
  const said: string[] = [];

  const add = async (name: string): Promise<{ id: string; secret: string }> => {
    const more = { userName: 'dora@example.com', accountId: 'acme' };
    const { id, secret = '' } = (await service.add('u-dora', name, more)).body;
    return { id, secret };
  };

  const ask = async (framework: Framework, secret: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${ports[framework]}/orders`, {
      headers: { authorization: bearer(secret) },
      signal: AbortSignal.timeout(5000),
    });

  const answers = (framework: Framework, secret: string, status: number): Promise<void> =>
    until(
      async () => (await ask(framework, secret)).status === status,
      20_000,
      `${framework} answering ${status}`,
    );

  /** Resolves when it has begun; `ended`, when the gateway has ended it. */
  async function stream(
    framework: Framework,
    secret: string,
  ): Promise<{ ended: Promise<unknown> }> {
    const url = `http://127.0.0.1:${ports[framework]}/stream`;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { headers: { authorization: bearer(secret) }, agent: false }, resolve).on(
        'error',
        reject,
      );
    });
    expect(response.statusCode).toBe(200);
    await once(response, 'data');
    return { ended: once(response, 'end') };
  }

  const within = async (ms: number, what: string, promise: Promise<unknown>): Promise<void> => {
    let happened = false;
    void promise.then(() => (happened = true));
    await until(() => happened, ms, what);
  };

  beforeAll(async () => {
    const { MONGODB_URI: mongodbUri = '', KAFKA_BROKERS: kafkaBrokers = '' } = process.env;
    stack = await makeStack({ mongodbUri, kafkaBrokers });
    const { identityProvider, tokenService, eventRelay } = stack;
    await Promise.all([identityProvider, tokenService, eventRelay].map((app) => app.start()));
    service = await Caller.service(stack.issuer, tokenService.url);
    expect(await compiled).toBe('');
    const { PATH = '' } = process.env;
    gateways = spawn(process.execPath, ['built/main.mjs'], {
      cwd: project,
      env: { PATH, KAFKA_BROKERS: kafkaBrokers, TOPIC_PREFIX: stack.topicPrefix },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const endWithUs = (): void => void gateways.kill('SIGKILL');
    process.once('exit', endWithUs);
    gateways.once('exit', () => process.off('exit', endWithUs));
    gateways.stderr!.setEncoding('utf8').on('data', (text: string) => said.push(text));
    const started = new Promise<string>((resolve, reject) => {
      gateways.once('error', reject);
      createInterface(gateways.stdout!).once('line', resolve);
      gateways.once('exit', (code) => {
        reject(new Error(`the gateways ended with ${code}: ${said.join('')}`));
      });
    });
    ports = JSON.parse(await started) as typeof ports;
  }, 180_000);

  afterAll(async () => {
    if (gateways.exitCode === null && gateways.signalCode === null) {
      gateways.kill('SIGKILL');
      await once(gateways, 'exit');
    }
    await stack.stop();
    const { MONGODB_URI: mongodbUri = '', KAFKA_BROKERS: kafkaBrokers = '' } = process.env;
    await dropDatabases(mongodbUri, ...stack.databases);
    const { events, heartbeats, probes } = topics(stack.topicPrefix);
    await deleteTopics(kafkaBrokers.split(','), events, heartbeats, probes);
  }, 120_000);

  it.each(FRAMEWORKS)(
    'let a token pass, and refuse it once it is disabled, and strangers (%s)',
    async (framework) => {
      const { id, secret } = await add(`Orders ${framework}`);
      await answers(framework, secret, 200);
      expect(await (await ask(framework, secret)).json()).toEqual({ user: 'u-dora' });
      expect((await ask(framework, `${secret}x`)).status).toBe(401);
      await service.disable(id);
      await answers(framework, secret, 401);
      const challenge = (await ask(framework, secret)).headers.get('www-authenticate');
      expect(challenge).toContain('error_description="The token is disabled"');
      await service.enable(id);
      await answers(framework, secret, 200);
      await service.call('DELETE', `/v1/tokens/${id}`);
      await answers(framework, secret, 401);
    },
    60_000,
  );

  it.each(FRAMEWORKS)(
    'end an event stream when its token is disabled, and leave the others (%s)',
    async (framework) => {
      const [mine, other] = [await add(`Mine ${framework}`), await add(`Other ${framework}`)];
      await answers(framework, other.secret, 200);
      const [ending, going] = [
        await stream(framework, mine.secret),
        await stream(framework, other.secret),
      ];
      let otherEnded = false;
      going.ended.then(
        () => (otherEnded = true),
        () => undefined,
      );
      await service.disable(mine.id);
      await within(20_000, 'the stream ending', ending.ended);
      expect(otherEnded).toBe(false);
      await service.disable(other.id);
      await within(20_000, 'the other stream ending', going.ended);
      await Promise.all([mine, other].map(({ id }) => service.call('DELETE', `/v1/tokens/${id}`)));
    },
    60_000,
  );

  it('open a WebSocket for a token that passes, and close it when it is disabled', async () => {
    const { id, secret } = await add('Socket');
    await answers('express', secret, 200);
    const connect = () =>
      new WebSocket(`ws://127.0.0.1:${ports.express}`, {
        headers: { authorization: bearer(secret) },
      });
    const socket = connect();
    await once(socket, 'open');
    socket.send('hello');
    const [echo] = (await once(socket, 'message')) as [Buffer];
    expect(echo.toString()).toBe('u-dora: hello');
    const closed = once(socket, 'close') as Promise<[number, Buffer]>;
    await service.disable(id);
    await within(20_000, 'the WebSocket closing', closed);
    const [code, reason] = await closed;
    expect([code, reason.toString()]).toEqual([1008, 'disabled']);

    const refused = connect();
    refused.on('error', () => undefined);
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(401);
    refused.terminate();
  }, 60_000);

  it('close everything, and let nobody pass, once nobody proves that their view is fresh', async () => {
    const { secret } = await add('Stale');
    await Promise.all(FRAMEWORKS.map((framework) => answers(framework, secret, 200)));
    const streams = await Promise.all(FRAMEWORKS.map((framework) => stream(framework, secret)));
    await stack.eventRelay.stop();
    const ended = Promise.all(streams.map((each) => each.ended));
    await within(20_000, 'all streams ending', ended);
    for (const framework of FRAMEWORKS) expect((await ask(framework, secret)).status).toBe(503);
    await stack.eventRelay.start();
    await Promise.all(FRAMEWORKS.map((framework) => answers(framework, secret, 200)));
  }, 90_000);

  it('end when they are told to', async () => {
    gateways.kill('SIGTERM');
    await within(20_000, 'the gateways ending', once(gateways, 'exit'));
  }, 30_000);
});
