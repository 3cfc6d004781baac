/** What a subscription knows of one partition, for as long as it holds it. */
export class PartitionReader {
  /** Of the next record to hand on; undefined until the start is known. */
  position: bigint | undefined;
  /** Settles when the batch that the subscriber has now is taken or given up. Never rejects. */
  inHand: Promise<void> | undefined;
  /** While the position is compared with what the brokers hold. */
  checking = false;
  readonly #held = new AbortController();

  constructor(
    readonly partition: number,
    /** A batch of an earlier holding that the subscriber still has: to be waited for. */
    readonly leftOver: Promise<void> | undefined,
  ) {}

  /** Aborted when the partition is taken away, or the subscription closes. */
  get signal(): AbortSignal {
    return this.#held.signal;
  }

  letGo(): void {
    this.#held.abort();
  }
}
