import { configurationOf } from './gateway-configuration.js';
import type { GatewayConfiguration } from './gateway-configuration.js';
import type { Fault } from './strict-json.js';

/** For operators; no secret is in it. */
export interface ConfigurationState {
  readonly digest: string;
  /** RFC 3339: since when the current one has held. */
  readonly loadedAt: string;
  /** Why a newer one is not taken; null where there is none. */
  readonly fault: string | null;
}

/** Of what `/status` shows. */
const LONGEST_FAULT = 2000;

/** The gateway's current configuration. It is read anew at each use, so that a change holds from the next request on. */
export class Configuration {
  #current: GatewayConfiguration;
  #loadedAt = new Date();
  #fault: string | null = null;
  #faults = 0;
  readonly #listeners: ((configuration: GatewayConfiguration) => void)[] = [];

  constructor(first: GatewayConfiguration) {
    this.#current = first;
  }

  /** One that stays as it is. @throws Error where the document is wrong. */
  static of(document: object): Configuration {
    const reading = configurationOf(document);
    if ('faults' in reading) throw new Error(describeFaults(reading.faults));
    return new Configuration(reading.configuration);
  }

  get current(): GatewayConfiguration {
    return this.#current;
  }

  get state(): ConfigurationState {
    const { digest } = this.#current;
    return { digest, loadedAt: this.#loadedAt.toISOString(), fault: this.#fault };
  }

  /** How many were refused so far. */
  get faults(): number {
    return this.#faults;
  }

  /** Told after each change, with all of it. A listener must not throw. */
  onChange(listener: (configuration: GatewayConfiguration) => void): this {
    this.#listeners.push(listener);
    return this;
  }

  /** @returns whether it says something else than the one before. */
  accept(next: GatewayConfiguration): boolean {
    this.#fault = null;
    if (next.digest === this.#current.digest) return false;
    this.#current = next;
    this.#loadedAt = new Date();
    for (const listener of this.#listeners) listener(next);
    return true;
  }

  /** What holds goes on to hold. */
  refuse(faults: readonly Fault[]): void {
    this.#faults++;
    this.#fault = describeFaults(faults).slice(0, LONGEST_FAULT);
  }
}

export const describeFaults = (faults: readonly Fault[]): string =>
  faults.map(describeFault).join('; ');

export const describeFault = ({ pointer, message }: Fault): string =>
  `${pointer === '' ? 'the file' : pointer} ${message}`;
