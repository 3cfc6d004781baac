import type { KafkaMessage } from 'kafkajs';
import type { ReceivedRecord } from '../event-bus.js';

/**
 * A record that turns bytes into texts when it is asked for them, each time anew. A batch holds thousands:
 * all their texts at once would outlive the youngest generation of the heap, and collecting them takes
 * longer than making them.
 */
export class KafkaRecord implements ReceivedRecord {
  readonly partition: number;
  readonly #message: KafkaMessage;

  constructor(partition: number, message: KafkaMessage) {
    this.partition = partition;
    this.#message = message;
  }

  get offset(): bigint {
    return BigInt(this.#message.offset);
  }

  get key(): string | null {
    return this.#message.key?.toString() ?? null;
  }

  get headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {};
    const bytes = this.#message.headers;
    for (const name in bytes) {
      const value = bytes[name];
      const one = Array.isArray(value) ? value.at(-1) : value;
      if (one !== undefined) headers[name] = one.toString();
    }
    return headers;
  }

  get value(): string {
    return this.#message.value?.toString() ?? '';
  }
}
