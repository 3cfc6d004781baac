import type { Heartbeat } from '@token-status/contracts';

interface Passed {
  readonly position: number;
  readonly offsets: ReadonlyMap<number, bigint>;
  /** When it came, by this process's monotonic clock, in milliseconds. */
  readonly at: number;
}

/** Fewer only make a partition's position coarser while it catches up; they never make it wrong. */
const MAX_KEPT = 256;

/** The heartbeats that some partition has not passed yet, oldest first, and always the newest. */
export class HeartbeatTrail {
  #kept: Passed[] = [];

  get newest(): { readonly position: number; readonly at: number } | null {
    return this.#kept.at(-1) ?? null;
  }

  /** Of the newest heartbeat: one past the last record sent to the partition; null where it does not say. */
  newestOffset(partition: number): bigint | null {
    return this.#kept.at(-1)?.offsets.get(partition) ?? null;
  }

  note({ position, offsets }: Heartbeat, at: number): void {
    this.#kept.push({
      position,
      offsets: new Map(
        Object.entries(offsets).map(([partition, offset]) => [Number(partition), BigInt(offset)]),
      ),
      at,
    });
    if (this.#kept.length > MAX_KEPT) {
      const last = this.#kept.length - 1;
      this.#kept = this.#kept.filter((_, i) => i % 2 === 0 || i === last);
    }
  }

  /**
   * The highest position whose heartbeat a partition has passed; 0 where there is none. A heartbeat
   * that does not name the partition says nothing about it.
   */
  passed(partition: number, nextOffset: bigint | null): number {
    let highest = 0;
    for (const { position, offsets } of this.#kept) {
      const offset = offsets.get(partition);
      if (offset !== undefined && offset <= (nextOffset ?? 0n))
        highest = Math.max(highest, position);
    }
    return highest;
  }

  /** When the oldest heartbeat beyond a position came; null where there is none. */
  oldestBeyond(position: number): number | null {
    return this.#kept.find((heartbeat) => heartbeat.position > position)?.at ?? null;
  }

  /** Drops what every partition has passed, but not the newest. */
  forgetUpTo(position: number): void {
    const last = this.#kept.length - 1;
    this.#kept = this.#kept.filter((heartbeat, i) => i === last || heartbeat.position > position);
  }
}
