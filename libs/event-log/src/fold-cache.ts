import { LRUCache } from 'lru-cache';
import type { RecordedEvent } from '@token-status/contracts';
import type { Fold } from './event-log.js';

/** A state that is true at the writer's head: every event with one of the tags is folded in. */
export interface CachedFold {
  readonly key: string;
  readonly fold: Fold<unknown>;
  readonly tags: readonly string[];
  state: unknown;
}

/**
 * The states of recent decisions, kept up to the head (`precise.md` 6): a command on a token that was
 * in use lately reads nothing. All entries are at the head at all times; whoever moves the head
 * applies every event, or clears the cache.
 */
export class FoldCache {
  readonly #entries: LRUCache<string, CachedFold>;
  readonly #byTag = new Map<string, Set<CachedFold>>();

  constructor(max: number) {
    this.#entries = new LRUCache({ max, dispose: (entry) => this.#unindex(entry) });
  }

  static key(fold: { readonly name: string }, tags: readonly string[]): string {
    return JSON.stringify([fold.name, ...tags.toSorted()]);
  }

  get(key: string): CachedFold | undefined {
    return this.#entries.get(key);
  }

  add(entry: CachedFold): void {
    for (const tag of entry.tags) {
      const entries = this.#byTag.get(tag);
      if (entries) entries.add(entry);
      else this.#byTag.set(tag, new Set([entry]));
    }
    this.#entries.set(entry.key, entry);
  }

  /** The entries that an event changes, each once. */
  touchedBy(event: RecordedEvent): Set<CachedFold> {
    const touched = new Set<CachedFold>();
    for (const tag of event.tags) {
      for (const entry of this.#byTag.get(tag) ?? []) touched.add(entry);
    }
    return touched;
  }

  /** Somebody else's event: folded into what it touches; a state that can't take it is dropped. */
  apply(event: RecordedEvent): void {
    for (const entry of this.touchedBy(event)) {
      try {
        entry.state = entry.fold.evolve(entry.state, event);
      } catch {
        // Whoever needs it folds it anew, and is told then.
        this.#entries.delete(entry.key);
      }
    }
  }

  clear(): void {
    this.#entries.clear();
  }

  #unindex(entry: CachedFold): void {
    for (const tag of entry.tags) {
      const entries = this.#byTag.get(tag);
      entries?.delete(entry);
      if (entries?.size === 0) this.#byTag.delete(tag);
    }
  }
}
