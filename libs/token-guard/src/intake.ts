import { UnreadableEvent, fromEventRecord, readEnvelope } from '@token-status/contracts';
import type { PublishedEvent, Verdict } from '@token-status/contracts';
import type { ReceivedRecord } from '@token-status/event-bus';
import { WHY_UNVERIFIED } from './signature-check.js';
import type { TokenChange, TokenTable } from './token-table.js';
import { Watermark } from './watermark.js';

/** Something an operator should look at. No secret and no personal data is in it. */
export interface Alarm {
  readonly code:
    /** An event or heartbeat of another log: stale until restarted (`precise.md` 5). */
    | 'foreign-epoch'
    /** Nobody can tell whom it is about: stale until restarted (`precise.md` 13). */
    | 'event-without-token'
    /** One token is denied, the rest goes on (decision 8). */
    | 'token-parked'
    /** Keys are set, and an event is not signed by one of them: it denies its token (`precise.md` 27). */
    | 'event-unverified'
    /** Keys are set, and a heartbeat is not signed by one of them: it proves nothing. */
    | 'heartbeat-unverified'
    /** Events and heartbeats were verified before, and are not any more: no keys are set. */
    | 'verification-off'
    /** What was read can't be kept (another topic, other keys): everything is read again. */
    | 'history-replaced'
    /** A subscription went silent while the broker had more for it; it was made again. */
    | 'consumer-silent'
    /** A listener of the guard's events threw. */
    | 'listener-failed'
    /** The table that was saved is not used; the history is read from its beginning. */
    | 'snapshot-refused'
    /** The table could not be saved: a restart will have more to read. */
    | 'snapshot-not-saved';
  readonly message: string;
  readonly tokenId?: string;
}

export interface IntakeHooks {
  /** Whether this is the log that is expected; the answer must not change for an epoch. */
  readonly acceptsEpoch: (epoch: string) => boolean;
  /** The whole gateway can't be trusted any more. */
  readonly onBroken: (why: string) => void;
  readonly onAlarm: (alarm: Alarm) => void;
  readonly onChange: (tokenId: string, change: TokenChange | 'parked') => void;
}

export interface IntakeCounts {
  readonly applied: number;
  readonly repeated: number;
  /** Faults, and the events that wait behind them. */
  readonly parked: number;
  /** Of another log, or without a token: not applied and not counted as seen. */
  readonly rejected: number;
  /** Not signed by a key that is set: not counted as seen, and at most a denial was taken from them. */
  readonly unverified: number;
}

/** How far a reading of the history has come: what its table holds, and what comes next. */
export interface ReadTo {
  readonly watermark: Watermark;
  /** Partition → the next offset to read. */
  readonly offsets: ReadonlyMap<number, bigint>;
  /** How many events did not verify, where keys were set. Default 0. */
  readonly unverified?: number;
}

/** One by one at most so many of a reading: there may be as many as the topic holds. */
const MAX_UNVERIFIED_TOLD = 100;

/**
 * One reading of the history: records in, table and watermark out, with the offsets to go on from.
 * A new reading is a new intake, so nothing of an earlier one can get into it.
 */
export class Intake<T extends TokenTable = TokenTable> {
  readonly table: T;
  readonly #watermark: Watermark;
  readonly #hooks: IntakeHooks;
  readonly #next: Map<number, bigint>;
  readonly #told = new Set<Alarm['code']>();
  readonly #counts = { applied: 0, repeated: 0, parked: 0, rejected: 0, unverified: 0 };
  readonly #unverifiedBefore: number;

  /** @param from where an earlier reading, of which this table is, had come to. */
  constructor(table: T, hooks: IntakeHooks, from?: ReadTo) {
    this.table = table;
    this.#hooks = hooks;
    this.#watermark = from?.watermark ?? new Watermark();
    this.#next = new Map(from?.offsets);
    this.#unverifiedBefore = from?.unverified ?? 0;
  }

  get watermark(): number {
    return this.#watermark.value;
  }

  /** How far this reading has come, now. */
  get readTo(): ReadTo {
    const unverified = this.#unverifiedBefore + this.#counts.unverified;
    return { watermark: this.#watermark, offsets: this.#next, unverified };
  }

  get counts(): IntakeCounts {
    return { ...this.#counts };
  }

  /** Partition → the next offset to read; a partition of which nothing was read is missing. */
  get positions(): ReadonlyMap<number, bigint> {
    return this.#next;
  }

  /** The batch of the partition has been taken whole; past control records too. */
  goOnFrom(partition: number, nextOffset: bigint): void {
    // A batch that comes again must not take the reader back.
    if (nextOffset > (this.#next.get(partition) ?? -1n)) this.#next.set(partition, nextOffset);
  }

  /**
   * Records of one partition, as they come. Never throws on what a record holds: it is applied, ignored,
   * parked, or breaks trust in the whole.
   * @param verdicts on their signatures; null where no keys are set.
   */
  take(records: readonly ReceivedRecord[], verdicts: readonly Verdict[] | null = null): void {
    records.forEach((record, at) => {
      const verdict = verdicts ? (verdicts[at] ?? 'unsigned') : 'verified';
      if (verdict === 'verified') this.#takeBelieved(record);
      else this.#takeUnverified(record, WHY_UNVERIFIED[verdict]);
    });
    const last = records.at(-1);
    if (last) this.goOnFrom(last.partition, last.offset + 1n);
  }

  #takeBelieved(record: ReceivedRecord): void {
    let event: PublishedEvent | null = null;
    try {
      event = fromEventRecord(record);
    } catch (fault) {
      if (!(fault instanceof UnreadableEvent)) throw fault;
      this.#takeUnreadable(record, fault.message);
    }
    if (event) this.#takeEvent(event, record);
  }

  /**
   * It may be forged, and it may be genuine and spoilt: so it can deny its token, and nothing else.
   *
   * A disable or a revoke is applied. Anything else parks its token, a rename too: applied under the
   * version and the id of a disable, it would pass for that disable, which then were a repeat. Its position
   * is not seen and its epoch not adopted: were it genuine, the watermark would never get past it, and
   * nobody would pass. For the same reason one that names no token may be ignored.
   */
  #takeUnverified(record: ReceivedRecord, why: string): void {
    this.#counts.unverified++;
    const { tokenId } = readEnvelope(record);
    if (tokenId === null) {
      this.#tellUnverified(`an event that names no token is ignored: ${why} (${placeOf(record)})`);
      return;
    }
    const event = eventIn(record);
    if (event?.event.type !== 'TokenDisabled' && event?.event.type !== 'TokenRevoked') {
      const parked = this.table.park(tokenId, why);
      if (parked) this.#hooks.onChange(tokenId, 'parked');
      this.#tellUnverified(
        `${tokenId} is denied, by an event: ${why} (${placeOf(record)})`,
        tokenId,
      );
      return;
    }
    const applied = this.table.apply(event);
    if (applied.kind === 'applied') this.#hooks.onChange(tokenId, applied.change);
    if (applied.kind === 'parked') this.#hooks.onChange(tokenId, 'parked');
    this.#tellUnverified(
      `${tokenId} is denied, by a ${event.event.type}: ${why} (${placeOf(record)})`,
      tokenId,
    );
  }

  #tellUnverified(message: string, tokenId?: string): void {
    const count = this.#counts.unverified;
    if (count > MAX_UNVERIFIED_TOLD) return;
    const last = count === MAX_UNVERIFIED_TOLD ? '; more of them are counted, and not told' : '';
    this.#hooks.onAlarm({
      code: 'event-unverified',
      message: message + last,
      ...(tokenId === undefined ? {} : { tokenId }),
    });
  }

  #takeEvent(event: PublishedEvent, record: ReceivedRecord): void {
    if (!this.#hooks.acceptsEpoch(event.epoch)) {
      this.#reject('foreign-epoch', `an event of another log came: ${placeOf(record)}`);
      return;
    }
    this.#apply(event, record);
    // After the table has it, so that the watermark never promises what a look-up would not find.
    this.#watermark.see(event.position);
  }

  #apply(event: PublishedEvent, record: ReceivedRecord): void {
    const { tokenId } = event.event;
    const applied = this.table.apply(event);
    switch (applied.kind) {
      case 'applied':
        this.#counts.applied++;
        this.#hooks.onChange(tokenId, applied.change);
        break;
      case 'repeated':
        this.#counts.repeated++;
        break;
      case 'behind-parked':
        this.#counts.parked++;
        break;
      case 'parked':
        this.#counts.parked++;
        this.#tellParked(tokenId, applied.why, record);
        if (applied.other)
          this.#tellParked(applied.other, `${tokenId} has the same secret`, record);
        break;
    }
  }

  #takeUnreadable(record: ReceivedRecord, why: string): void {
    const { epoch, position, tokenId } = readEnvelope(record);
    if (epoch !== null && !this.#hooks.acceptsEpoch(epoch)) {
      this.#reject('foreign-epoch', `an event of another log came: ${placeOf(record)}`);
    } else if (tokenId === null) {
      // It may be the one that disables any token (`precise.md` 13).
      this.#reject('event-without-token', `an event names no token: ${why} (${placeOf(record)})`);
      this.#hooks.onBroken(`an event names no token (${placeOf(record)})`);
    } else {
      this.#counts.parked++;
      if (this.table.park(tokenId, why)) this.#tellParked(tokenId, why, record);
      // Only a position in our own log is one of 1…p.
      if (epoch !== null && position !== null) this.#watermark.see(position);
    }
  }

  #tellParked(tokenId: string, why: string, record: ReceivedRecord): void {
    this.#hooks.onChange(tokenId, 'parked');
    const message = `${tokenId} is denied: ${why} (${placeOf(record)})`;
    this.#hooks.onAlarm({ code: 'token-parked', message, tokenId });
  }

  #reject(code: Alarm['code'], message: string): void {
    this.#counts.rejected++;
    // Once each: there may be as many as the topic holds.
    if (this.#told.has(code)) return;
    this.#told.add(code);
    this.#hooks.onAlarm({ code, message });
  }
}

const placeOf = ({ partition, offset }: ReceivedRecord): string =>
  `partition ${partition}, offset ${offset}`;

/** null where it can't be read. */
function eventIn(record: ReceivedRecord): PublishedEvent | null {
  try {
    return fromEventRecord(record);
  } catch (fault) {
    if (!(fault instanceof UnreadableEvent)) throw fault;
    return null;
  }
}
