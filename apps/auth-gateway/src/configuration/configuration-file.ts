import { createHash } from 'node:crypto';
import { constants, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SettingsError } from '@token-status/platform';
import type { Logger } from '@token-status/platform';
import { Configuration, describeFault, describeFaults } from './configuration.js';
import { readConfiguration } from './gateway-configuration.js';
import type { ConfigurationReading } from './gateway-configuration.js';

const MAX_BYTES = 1024 * 1024;
/** Watching is a matter of the file system's, and some don't; every few seconds is soon enough then. */
const POLL_EVERY_MS = 2000;
/** An editor's or a tool's several steps are one change. */
const SETTLE_MS = 100;
const LONGEST_SETTLING_MS = 1000;

type FileReading = ConfigurationReading & {
  /** The same for the same content, or the same reason why there is none. */
  readonly mark: string;
};

export interface ConfigurationFileOptions {
  readonly file: string;
  readonly logger: Logger;
  readonly pollEveryMs?: number;
  readonly settleMs?: number;
}

/**
 * A configuration that follows its file. What is watched is the file's folder: editors replace a file by
 * another, and a Kubernetes ConfigMap is a link that is turned around. Beside that it is looked at every
 * few seconds. What decides is the content; a wrong one changes nothing but what is said about it.
 */
export class ConfigurationFile {
  readonly configuration: Configuration;
  readonly #file: string;
  readonly #logger: Logger;
  readonly #settleMs: number;
  readonly #poll: NodeJS.Timeout;
  #watcher: FSWatcher | null = null;
  #settling: NodeJS.Timeout | undefined;
  #settlesAt = 0;
  #working: Promise<void> | null = null;
  #again = false;
  #closed = false;
  /** Of what was taken or refused last. */
  #mark: string;
  /** Of what is wrong, and may be half of a change. */
  #suspect: { readonly mark: string; readonly since: number } | null = null;

  private constructor(
    configuration: Configuration,
    mark: string,
    { file, logger, pollEveryMs = POLL_EVERY_MS, settleMs = SETTLE_MS }: ConfigurationFileOptions,
  ) {
    this.configuration = configuration;
    this.#mark = mark;
    this.#file = file;
    this.#logger = logger;
    this.#settleMs = settleMs;
    this.#watch();
    this.#poll = setInterval(() => void this.reload(), pollEveryMs);
    // What changed between the first reading and the watching.
    this.#noticed();
  }

  /** @throws SettingsError naming everything that is wrong with it. */
  static async open(options: ConfigurationFileOptions): Promise<ConfigurationFile> {
    const file = resolve(options.file);
    const reading = await readFile(file);
    if ('faults' in reading) {
      throw new SettingsError(
        reading.faults.map((fault) => ({
          name: 'CONFIGURATION_FILE',
          message: `(${file}): ${describeFault(fault)}`,
        })),
      );
    }
    const configuration = new Configuration(reading.configuration);
    return new ConfigurationFile(configuration, reading.mark, { ...options, file });
  }

  /** Looks at once. Resolves when what was there at the time of the call has been looked at. */
  reload(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#again = true;
    this.#working ??= this.#work();
    return this.#working;
  }

  /** Follows no more; resolves when nothing is being read. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watcher?.close();
    clearInterval(this.#poll);
    clearTimeout(this.#settling);
    await this.#working;
  }

  #watch(): void {
    const blind = (fault: unknown): void => {
      this.#watcher?.close();
      this.#watcher = null;
      this.#logger.warn({ err: fault, file: this.#file }, 'can’t watch; looking from time to time');
    };
    try {
      this.#watcher = watch(dirname(this.#file), () => this.#noticed()).on('error', blind);
    } catch (fault) {
      blind(fault);
    }
  }

  /** Something happened in the folder: once it is quiet there, or after a while in which it is not, look. */
  #noticed(): void {
    if (this.#closed) return;
    const now = performance.now();
    if (this.#settling === undefined) this.#settlesAt = now + LONGEST_SETTLING_MS;
    clearTimeout(this.#settling);
    const waitMs = Math.max(0, Math.min(this.#settleMs, this.#settlesAt - now));
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      void this.reload();
    }, waitMs);
  }

  /** One at a time, so that what was read last is what holds. */
  async #work(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        await this.#look();
      } catch (fault) {
        this.#logger.error(
          { err: fault, file: this.#file },
          'a fault while the file was looked at',
        );
      }
    }
    this.#working = null;
  }

  #stays(mark: string): boolean {
    const now = performance.now();
    if (this.#suspect?.mark !== mark) this.#suspect = { mark, since: now };
    return now - this.#suspect.since >= this.#settleMs;
  }

  async #look(): Promise<void> {
    const reading = await readFile(this.#file);
    if (this.#closed || reading.mark === this.#mark) {
      this.#suspect = null;
      return;
    }
    // Half written, or between an old file's end and the new one's name: believed when it stays so.
    if ('faults' in reading && !this.#stays(reading.mark)) {
      this.#noticed();
      return;
    }
    this.#suspect = null;
    this.#mark = reading.mark;
    if ('faults' in reading) {
      this.configuration.refuse(reading.faults);
      this.#logger.error(
        { file: this.#file, why: describeFaults(reading.faults) },
        'the configuration file is wrong: what held before goes on to hold',
      );
      return;
    }
    const changed = this.configuration.accept(reading.configuration);
    const { digest, routes, introspectionClients, failureLimits, verificationKeys } =
      reading.configuration;
    this.#logger.info(
      {
        file: this.#file,
        digest,
        routes: routes.size,
        introspectionClients: introspectionClients.size,
        failureLimits,
        verificationKeyIds: verificationKeys?.map(({ keyid }) => keyid) ?? null,
      },
      changed ? 'configured anew' : 'the configuration file says what holds',
    );
  }
}

async function readFile(file: string): Promise<FileReading> {
  let bytes: Buffer;
  try {
    bytes = await boundedContent(file);
  } catch (fault) {
    const why = whyUnreadable(fault);
    return { mark: why, faults: [{ pointer: '', message: why }] };
  }
  const mark = createHash('sha256').update(bytes).digest('hex');
  return { mark, ...readConfiguration(bytes) };
}

class NoConfigurationFile extends Error {
  override readonly name = 'NoConfigurationFile';
}

async function boundedContent(file: string): Promise<Buffer> {
  // A pipe that nobody writes to must not keep us waiting.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new NoConfigurationFile('is no file');
    const chunks: Buffer[] = [];
    const stream = handle.createReadStream({ end: MAX_BYTES, autoClose: false });
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    if (bytes.length > MAX_BYTES) {
      throw new NoConfigurationFile(`is larger than ${MAX_BYTES} bytes`);
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

function whyUnreadable(fault: unknown): string {
  if (fault instanceof NoConfigurationFile) return fault.message;
  const { code = 'unknown' } = fault as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'is not there';
  if (code === 'EACCES') return 'can’t be read by this process';
  return `can’t be read (${code})`;
}
