import { UnreadableEvent, fromEventRecord, readEnvelope } from '@token-status/contracts';
import type { PublishedEvent } from '@token-status/contracts';
import type { ReceivedRecord } from '@token-status/event-bus';
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
    /** The events topic is not the one that was read: everything is read again. */
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
}

/** How far a reading of the history has come: what its table holds, and what comes next. */
export interface ReadTo {
  readonly watermark: Watermark;
  /** Partition → the next offset to read. */
  readonly offsets: ReadonlyMap<number, bigint>;
}

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
  readonly #counts = { applied: 0, repeated: 0, parked: 0, rejected: 0 };

  /** @param from where an earlier reading, of which this table is, had come to. */
  constructor(table: T, hooks: IntakeHooks, from?: ReadTo) {
    this.table = table;
    this.#hooks = hooks;
    this.#watermark = from?.watermark ?? new Watermark();
    this.#next = new Map(from?.offsets);
  }

  get watermark(): number {
    return this.#watermark.value;
  }

  /** How far this reading has come, now. */
  get readTo(): ReadTo {
    return { watermark: this.#watermark, offsets: this.#next };
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

  /** Never throws on what a record holds: it is applied, ignored, parked, or breaks trust in the whole. */
  take(record: ReceivedRecord): void {
    const at = `partition ${record.partition}, offset ${record.offset}`;
    let event: PublishedEvent | null = null;
    try {
      event = fromEventRecord(record);
    } catch (fault) {
      if (!(fault instanceof UnreadableEvent)) throw fault;
      this.#takeUnreadable(record, fault.message, at);
    }
    if (event) this.#takeEvent(event, at);
    this.goOnFrom(record.partition, record.offset + 1n);
  }

  #takeEvent(event: PublishedEvent, at: string): void {
    if (!this.#hooks.acceptsEpoch(event.epoch)) {
      this.#reject('foreign-epoch', `an event of another log came: ${at}`);
      return;
    }
    this.#apply(event, at);
    // After the table has it, so that the watermark never promises what a look-up would not find.
    this.#watermark.see(event.position);
  }

  #apply(event: PublishedEvent, at: string): void {
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
        this.#hooks.onChange(tokenId, 'parked');
        this.#hooks.onAlarm({
          code: 'token-parked',
          message: `${tokenId} is denied: ${applied.why} (${at})`,
          tokenId,
        });
        break;
    }
  }

  #takeUnreadable(record: ReceivedRecord, why: string, at: string): void {
    const { epoch, position, tokenId } = readEnvelope(record);
    if (epoch !== null && !this.#hooks.acceptsEpoch(epoch)) {
      this.#reject('foreign-epoch', `an event of another log came: ${at}`);
    } else if (tokenId === null) {
      // It may be the one that disables any token (`precise.md` 13).
      this.#reject('event-without-token', `an event names no token: ${why} (${at})`);
      this.#hooks.onBroken(`an event names no token (${at})`);
    } else {
      this.#counts.parked++;
      if (this.table.park(tokenId, why)) {
        this.#hooks.onChange(tokenId, 'parked');
        const message = `${tokenId} is denied: ${why} (${at})`;
        this.#hooks.onAlarm({ code: 'token-parked', message, tokenId });
      }
      // Only a position in our own log is one of 1…p.
      if (epoch !== null && position !== null) this.#watermark.see(position);
    }
  }

  #reject(code: Alarm['code'], message: string): void {
    this.#counts.rejected++;
    // Once each: there may be as many as the topic holds.
    if (this.#told.has(code)) return;
    this.#told.add(code);
    this.#hooks.onAlarm({ code, message });
  }
}
