import { Backoff } from './backoff.js';
import { asError } from './bounded.js';
import type { Batch, SubscribeOptions } from './event-bus.js';
import { OffsetOutOfRange } from './event-bus.js';

/**
 * Hands a batch to the subscriber until it takes it; a rejection is followed by the same records after
 * a back-off.
 *
 * @returns whether it was taken; false once the batch's signal is aborted.
 */
export async function deliver(batch: Batch, options: SubscribeOptions): Promise<boolean> {
  const backoff = new Backoff();
  const isOver = (): boolean => batch.signal.aborted;
  while (!isOver()) {
    try {
      await options.onBatch(batch);
      return true;
    } catch (fault) {
      // A handler that stops because the signal told it to has not failed.
      if (!isOver()) tellFault(options, fault, false);
    }
    await backoff.pause(batch.signal);
  }
  return false;
}

/** What a partition holds at a moment: the offsets of its oldest record and one past its newest. */
export interface Range {
  readonly earliest: bigint;
  readonly end: bigint;
}

/** @throws OffsetOutOfRange where the subscriber names an offset that the partition does not have */
export function startWithin(
  topic: string,
  partition: number,
  asked: bigint | 'earliest' | 'latest',
  { earliest, end }: Range,
): bigint {
  if (asked === 'earliest') return earliest;
  if (asked === 'latest') return end;
  if (asked < earliest || asked > end) {
    throw new OffsetOutOfRange(topic, partition, asked, earliest, end);
  }
  return asked;
}

/** A subscriber's own callback must not break the delivery that reports to it. */
export function tellFault(options: SubscribeOptions, fault: unknown, ended: boolean): void {
  try {
    options.onFault?.(asError(fault), ended);
  } catch {
    // It was told; what it does with it is its own affair.
  }
}

export function tellAssigned(options: SubscribeOptions, partitions: readonly number[]): void {
  try {
    options.onAssigned?.(partitions);
  } catch (fault) {
    tellFault(options, fault, false);
  }
}
