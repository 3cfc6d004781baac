import type { InProcessSubscription } from './in-process-subscription.js';

/** The subscribers that share a topic's partitions under one name. */
export class Group {
  readonly #members: InProcessSubscription[] = [];
  readonly #owners = new Map<number, InProcessSubscription>();

  constructor(private readonly partitions: number) {}

  /** Resolves when the new member knows the starts of what fell to it. */
  async join(member: InProcessSubscription): Promise<void> {
    this.#members.push(member);
    await member.untilStarted(this.#divide().get(member) ?? []);
  }

  /** For a member that has nothing in hand any more. */
  leave(member: InProcessSubscription): void {
    const at = this.#members.indexOf(member);
    if (at === -1) return;
    this.#members.splice(at, 1);
    for (const [partition, owner] of this.#owners) {
      if (owner === member) this.#owners.delete(partition);
    }
    this.#divide();
  }

  /** In turn, in the order of joining: the first keeps its first partition when a second comes. */
  #divide(): Map<InProcessSubscription, Promise<void>[]> {
    const started = new Map<InProcessSubscription, Promise<void>[]>();
    const changed = new Set<InProcessSubscription>();
    for (let partition = 0; partition < this.partitions; partition++) {
      const before = this.#owners.get(partition);
      const after = this.#members[partition % this.#members.length];
      if (after === undefined || after === before) continue;
      const given = before?.giveUp(partition) ?? Promise.resolve();
      this.#owners.set(partition, after);
      started.set(after, [...(started.get(after) ?? []), after.take(partition, given)]);
      changed.add(after);
      if (before !== undefined) changed.add(before);
    }
    const newest = this.#members.at(-1);
    if (newest !== undefined) changed.add(newest);
    for (const member of changed) member.tellAssigned();
    return started;
  }
}
