import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { open, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CHUNK_ROWS, ROW_BYTES } from './compact-rows.js';
import { CompactTable, NoSuchTable } from './compact-table.js';
import type { ReadTo } from './intake.js';
import { mayKeep } from './signature-check.js';
import type { Verification } from './signature-check.js';
import type { ParkedToken } from './token-table.js';
import { Watermark } from './watermark.js';

/**
 * A table as a file (decision 6), so that a restart reads on instead of everything again:
 *
 *     magic (8 bytes), format and length of the head (32 bits each, little-endian), head (JSON),
 *     account ids, owners, rows, positions ahead of the watermark, parked tokens (JSON),
 *     SHA-256 of all before it
 *
 * The checksum finds damage, not malice: who can write the file decides which tokens pass. It holds
 * digests and ids, no secrets, and only its owner may read or write it.
 */

/** Which history the table is of: offsets and positions mean nothing in another. */
export interface SnapshotSource {
  /** Of the log (`precise.md` 5). */
  readonly epoch: string;
  /** Name of the events topic, and the id that its cluster gave it: no other topic anywhere has that. */
  readonly topic: string;
  readonly topicId: string;
}

export interface SnapshotContents {
  readonly table: CompactTable;
  readonly readTo: ReadTo;
  readonly source: SnapshotSource;
  /** By which keys all of it was verified; null or left out: by none. */
  readonly verifiedBy?: Verification['verifiedBy'];
}

/** What a snapshot must be of to be used. */
export interface ExpectedSnapshot {
  readonly topic: string;
  /** null where none is configured or known. */
  readonly epoch: string | null;
  /** Fingerprints of the keys that are set; null or left out where none are. */
  readonly keys?: Verification['verifiedBy'];
}

export type LoadedSnapshot =
  | ({ readonly kind: 'loaded'; readonly savedAt: string } & SnapshotContents)
  /** There is no such file. */
  | { readonly kind: 'none' }
  /** There is one, and it must not be used. */
  | { readonly kind: 'refused'; readonly why: string };

/** To be raised with every change of what a file or a row holds: another format is not read. */
const FORMAT = 2;
const MAGIC = Buffer.from('TKNTABLE', 'latin1');
const PREAMBLE_BYTES = MAGIC.length + 8;
const CHECKSUM_BYTES = 32;
/** Far more than the offsets of any topic take. */
const MAX_HEAD_BYTES = 4 * 1024 * 1024;
const TEXT_PIECE_BYTES = 64 * 1024;

interface Head extends SnapshotSource, Verification {
  readonly savedAt: string;
  /** Partition → next offset, in digits. */
  readonly offsets: Readonly<Record<string, string>>;
  readonly watermark: number;
  /** Bytes of each section. */
  readonly bytes: {
    readonly accounts: number;
    readonly owners: number;
    readonly rows: number;
    readonly ahead: number;
    readonly parked: number;
  };
}

/**
 * Saves the table as it is at the call; it may go on changing meanwhile. Written aside, in pieces of
 * at most 256 KiB between which others have their turn, flushed to the disk, and put in the old one's
 * place: a crash at any time leaves the old one or the new one. One at a time.
 *
 * @returns how many bytes it has. Rejects with what the file system said, or when aborted.
 */
export async function saveSnapshot(
  file: string,
  { table, readTo, source, verifiedBy = null }: SnapshotContents,
  signal?: AbortSignal,
): Promise<number> {
  // All that is of the moment is taken before anything is waited for.
  const ahead = readTo.watermark.ahead();
  const frozen = table.freeze();
  const { accounts, owners, rows } = frozen;
  const parked = Buffer.from(JSON.stringify(frozen.parked), 'utf8');
  const head: Head = {
    ...source,
    savedAt: new Date().toISOString(),
    offsets: Object.fromEntries([...readTo.offsets].map(([p, next]) => [p, String(next)])),
    watermark: readTo.watermark.value,
    verifiedBy,
    unverified: readTo.unverified ?? 0,
    bytes: {
      accounts: accounts.bytes,
      owners: owners.bytes,
      rows: rows.count * ROW_BYTES,
      ahead: ahead.length,
      parked: parked.length,
    },
  };
  const aside = `${file}.new`;
  try {
    const handle = await open(aside, 'w', 0o600);
    try {
      const writing = new Writing(handle, signal);
      await writing.write(headBytes(head));
      for (const part of [accounts, owners, rows]) {
        for (let piece = part.next(); piece; piece = part.next()) await writing.write(piece);
      }
      await writing.write(ahead);
      await writing.write(parked);
      const bytes = await writing.end();
      await handle.sync();
      await handle.close();
      await rename(aside, file);
      await syncFolder(dirname(file));
      return bytes;
    } catch (fault) {
      await handle.close().catch(() => undefined);
      await unlink(aside).catch(() => undefined);
      throw fault;
    }
  } finally {
    frozen.release();
  }
}

/** Rejects only when aborted: what can't be read is refused. */
export async function loadSnapshot(
  file: string,
  expected: ExpectedSnapshot,
  signal?: AbortSignal,
): Promise<LoadedSnapshot> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (fault) {
    return codeOf(fault) === 'ENOENT' ? { kind: 'none' } : refusal(fault);
  }
  try {
    return await load(new Reading(handle, (await handle.stat()).size, signal), expected);
  } catch (fault) {
    signal?.throwIfAborted();
    return refusal(fault);
  } finally {
    await handle.close();
  }
}

/** Why a file is not used, for an operator; nothing of what it holds is repeated. */
class Refused extends Error {
  override readonly name = 'Refused';
}

async function load(reading: Reading, expected: ExpectedSnapshot): Promise<LoadedSnapshot> {
  const head = await readHead(reading);
  if (head.topic !== expected.topic) throw new Refused('it is of another topic');
  if (expected.epoch !== null && head.epoch !== expected.epoch) {
    throw new Refused('it is of another log (epoch)');
  }
  if (!mayKeep(head, expected.keys ?? null)) {
    throw new Refused('its events were not verified by the keys that are set now');
  }
  const table = new CompactTable();
  table.expect(head.bytes.rows / ROW_BYTES);
  await readTexts(reading, head.bytes.accounts, (bytes) => table.restoreAccounts(bytes));
  await readTexts(reading, head.bytes.owners, (bytes) => table.restoreOwners(bytes));
  for (let left = head.bytes.rows; left > 0;) {
    const piece = await reading.read(Math.min(left, CHUNK_ROWS * ROW_BYTES));
    table.restoreRows(piece);
    left -= piece.length;
  }
  const watermark = Watermark.restored(head.watermark, await reading.read(head.bytes.ahead));
  const parked = await reading.read(head.bytes.parked);
  const checksum = reading.checksum();
  if (!(await reading.read(CHECKSUM_BYTES)).equals(checksum)) {
    throw new Refused('its checksum is wrong');
  }
  table.restoreParked(JSON.parse(parked.toString('utf8')) as ParkedToken[]);
  const { epoch, topic, topicId, savedAt, verifiedBy, unverified } = head;
  const offsets = new Map(
    Object.entries(head.offsets).map(([p, next]) => [Number(p), BigInt(next)]),
  );
  return {
    kind: 'loaded',
    savedAt,
    table,
    readTo: { watermark, offsets, unverified },
    source: { epoch, topic, topicId },
    verifiedBy,
  };
}

async function readHead(reading: Reading): Promise<Head> {
  if (reading.size < PREAMBLE_BYTES) throw new Refused('it is cut off');
  const preamble = await reading.read(PREAMBLE_BYTES);
  if (!preamble.subarray(0, MAGIC.length).equals(MAGIC)) throw new Refused('it is no snapshot');
  const format = preamble.readUInt32LE(MAGIC.length);
  if (format !== FORMAT) {
    throw new Refused(`its format is ${format}, and only ${FORMAT} is read here`);
  }
  const length = preamble.readUInt32LE(MAGIC.length + 4);
  if (length > MAX_HEAD_BYTES) throw new Refused('its head is damaged');
  const head = asHead((await reading.read(length)).toString('utf8'));
  if (!head) throw new Refused('its head is damaged');
  const sections = Object.values(head.bytes).reduce((sum, bytes) => sum + bytes, 0);
  const size = PREAMBLE_BYTES + length + sections + CHECKSUM_BYTES;
  // Before any section is read: no length that a damaged file names is ever allocated.
  if (reading.size !== size)
    throw new Refused(`it has ${reading.size} bytes and should have ${size}`);
  return head;
}

async function readTexts(
  reading: Reading,
  bytes: number,
  restore: (bytes: Uint8Array) => number,
): Promise<void> {
  let carried: Uint8Array = new Uint8Array(0);
  for (let left = bytes; left > 0;) {
    const piece = await reading.read(Math.min(left, TEXT_PIECE_BYTES));
    left -= piece.length;
    const texts = carried.length === 0 ? piece : Buffer.concat([carried, piece]);
    carried = texts.subarray(restore(texts));
  }
  if (carried.length > 0) throw new NoSuchTable('a text is cut off');
}

function headBytes(head: Head): Buffer {
  const json = Buffer.from(JSON.stringify(head), 'utf8');
  const preamble = Buffer.alloc(PREAMBLE_BYTES);
  MAGIC.copy(preamble);
  preamble.writeUInt32LE(FORMAT, MAGIC.length);
  preamble.writeUInt32LE(json.length, MAGIC.length + 4);
  return Buffer.concat([preamble, json]);
}

/** null for what is no head. */
function asHead(text: string): Head | null {
  let head: Partial<Head> | null;
  try {
    head = JSON.parse(text) as Partial<Head> | null;
  } catch {
    return null;
  }
  const { epoch, topic, topicId, savedAt, offsets, watermark, bytes } = head ?? {};
  const { verifiedBy, unverified } = head ?? {};
  const whole = (value: unknown): value is number =>
    Number.isSafeInteger(value) && Number(value) >= 0;
  if (!offsets || !bytes || !whole(watermark) || !whole(unverified)) return null;
  if (verifiedBy !== null && !isTexts(verifiedBy)) return null;
  if (![epoch, topic, topicId, savedAt].every((value) => typeof value === 'string')) return null;
  const { accounts, owners, rows, ahead, parked } = bytes;
  if (![accounts, owners, rows, ahead, parked].every(whole)) return null;
  const digits = /^\d{1,19}$/;
  const places = Object.entries(offsets);
  if (!places.every(([p, next]) => digits.test(p) && digits.test(next))) return null;
  return { ...(head as Head), bytes: { accounts, owners, rows, ahead, parked } };
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

class Writing {
  readonly #handle: FileHandle;
  readonly #signal: AbortSignal | undefined;
  readonly #hash = createHash('sha256');
  #written = 0;

  constructor(handle: FileHandle, signal: AbortSignal | undefined) {
    this.#handle = handle;
    this.#signal = signal;
  }

  async write(piece: Uint8Array): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#hash.update(piece);
    await this.#append(piece);
  }

  async end(): Promise<number> {
    await this.#append(this.#hash.digest());
    return this.#written;
  }

  async #append(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length;) {
      at += (await this.#handle.write(piece, at, piece.length - at)).bytesWritten;
    }
    this.#written += piece.length;
  }
}

class Reading {
  readonly size: number;
  readonly #handle: FileHandle;
  readonly #signal: AbortSignal | undefined;
  readonly #hash: Hash = createHash('sha256');

  constructor(handle: FileHandle, size: number, signal: AbortSignal | undefined) {
    this.#handle = handle;
    this.size = size;
    this.#signal = signal;
  }

  async read(length: number): Promise<Buffer> {
    const piece = Buffer.alloc(length);
    for (let at = 0; at < length;) {
      this.#signal?.throwIfAborted();
      const { bytesRead } = await this.#handle.read(piece, at, length - at);
      if (bytesRead === 0) throw new Refused('it is cut off');
      at += bytesRead;
    }
    this.#hash.update(piece);
    return piece;
  }

  /** Of all that was read so far. */
  checksum(): Buffer {
    return this.#hash.copy().digest();
  }
}

/** So that the new name is on the disk too. Where a folder can't be opened, that is as good as it gets. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  try {
    await handle?.sync();
  } catch (fault) {
    if (codeOf(fault) !== 'EPERM' && codeOf(fault) !== 'EINVAL') throw fault;
  } finally {
    await handle?.close();
  }
}

function refusal(fault: unknown): LoadedSnapshot {
  if (fault instanceof Refused) return { kind: 'refused', why: fault.message };
  if (fault instanceof NoSuchTable) {
    return { kind: 'refused', why: `it holds what no table can: ${fault.message}` };
  }
  return { kind: 'refused', why: `it can't be read: ${codeOf(fault) ?? 'it is damaged'}` };
}

const codeOf = (fault: unknown): string | undefined =>
  typeof fault === 'object' && fault !== null && 'code' in fault ? String(fault.code) : undefined;
