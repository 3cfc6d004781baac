import type { Range } from '../delivery.js';
import type { BusRecord, ReceivedRecord } from '../event-bus.js';
import { OffsetOutOfRange } from '../event-bus.js';

/** One partition, as subscribers read it. */
export interface PartitionLog {
  range(): Promise<Range>;
  /**
   * Records from the offset on, in order, at most `limit`; none at the end.
   * @throws OffsetOutOfRange where the partition does not have that place (any more)
   */
  read(from: bigint, limit: number): Promise<readonly ReceivedRecord[]>;
}

/** Where a topic that is kept for ever is kept: for the events, the event log itself. */
export interface DurableSource {
  /** Of this history: another one under the same name has another. */
  readonly id: string;
  /** Records with offset ≥ `from`, in order, at most `limit`. What was read once never changes. */
  read(
    from: bigint,
    limit: number,
  ): Promise<readonly { readonly offset: bigint; readonly record: BusRecord }[]>;
  /** One past the newest record; 0 where there is none. */
  end(): Promise<bigint>;
}

/** The one partition of a durable topic. Publishing to it stores nothing: the record is there already. */
export class DurableLog implements PartitionLog {
  /** Where the record after the last one published is: a relay goes through the log in order. */
  #expected = 0n;

  constructor(
    private readonly topic: string,
    private readonly source: DurableSource,
  ) {}

  async range(): Promise<Range> {
    return { earliest: 0n, end: await this.source.end() };
  }

  async read(from: bigint, limit: number): Promise<readonly ReceivedRecord[]> {
    const read = await this.source.read(from, limit);
    if (read.length === 0) {
      const end = await this.source.end();
      if (from > end) throw new OffsetOutOfRange(this.topic, 0, from, 0n, end);
    }
    return read.map(({ offset, record }) => ({ ...record, partition: 0, offset }));
  }

  /**
   * Checks that the source has these records, in this order.
   * @returns one past the last of them
   */
  async find(records: readonly BusRecord[]): Promise<bigint> {
    const [first] = records;
    if (first === undefined) return this.#expected;
    let from = (await this.#isAt(this.#expected, first))
      ? this.#expected
      : await this.#lastPlaceOf(first);
    let matched = 0;
    while (from !== undefined) {
      const page = await this.source.read(from, PAGE);
      if (page.length === 0) break;
      for (const { offset, record } of page) {
        from = offset + 1n;
        const next = records[matched];
        if (next === undefined || !isSame(next, record)) continue;
        if (++matched === records.length) return (this.#expected = from);
      }
    }
    throw new Error(
      `${this.topic} is kept by a durable source, and it does not have what was to be published ` +
        '(it has to be stored there first)',
    );
  }

  async #isAt(offset: bigint, wanted: BusRecord): Promise<boolean> {
    const [found] = await this.source.read(offset, 1);
    return found !== undefined && isSame(wanted, found.record);
  }

  /** From the end, since a relay that starts again goes on near it. */
  async #lastPlaceOf(wanted: BusRecord): Promise<bigint | undefined> {
    for (let end = await this.source.end(); end > 0n;) {
      const start = end > BigInt(PAGE) ? end - BigInt(PAGE) : 0n;
      const page = await this.source.read(start, PAGE);
      const found = page.findLast(({ offset, record }) => offset < end && isSame(wanted, record));
      if (found !== undefined) return found.offset;
      end = start;
    }
    return undefined;
  }
}

const PAGE = 500;

/** Same key, value and headers, as far as both have them: a publisher may add some of the moment. */
const isSame = (published: BusRecord, stored: BusRecord): boolean =>
  published.key === stored.key &&
  published.value === stored.value &&
  Object.entries(stored.headers).every(
    ([name, text]) => (published.headers[name] ?? text) === text,
  );

/** A partition in memory, of which only the newest records are kept. */
export class MemoryLog implements PartitionLog {
  #records: { readonly record: ReceivedRecord; readonly at: number }[] = [];
  #end = 0n;

  constructor(
    private readonly topic: string,
    private readonly partition: number,
    private readonly keep: { readonly ms: number; readonly records: number },
  ) {}

  /** @returns one past the record */
  append(record: BusRecord): bigint {
    const offset = this.#end++;
    const { key, headers, value } = record;
    this.#records.push({
      at: Date.now(),
      record: { key, headers: { ...headers }, value, partition: this.partition, offset },
    });
    this.#forget();
    return this.#end;
  }

  range(): Promise<Range> {
    return Promise.resolve({ earliest: this.#earliest, end: this.#end });
  }

  read(from: bigint, limit: number): Promise<readonly ReceivedRecord[]> {
    const earliest = this.#earliest;
    if (from < earliest || from > this.#end) {
      const fault = new OffsetOutOfRange(this.topic, this.partition, from, earliest, this.#end);
      return Promise.reject(fault);
    }
    const start = Number(from - earliest);
    return Promise.resolve(this.#records.slice(start, start + limit).map(({ record }) => record));
  }

  get #earliest(): bigint {
    return this.#end - BigInt(this.#records.length);
  }

  /** In strides, so that an append moves the array only once in a while. */
  #forget(): void {
    const { ms, records } = this.keep;
    const surplus = this.#records.length - records;
    if (surplus > records / 4) this.#records.splice(0, surplus);
    const oldest = this.#records[0];
    const limit = Date.now() - ms;
    if (oldest === undefined || oldest.at >= limit - ms / 4) return;
    const fresh = this.#records.findIndex(({ at }) => at >= limit);
    this.#records.splice(0, fresh);
  }
}
