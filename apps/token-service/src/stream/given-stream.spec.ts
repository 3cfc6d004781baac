import { EventSource } from 'eventsource';
import { eventually } from '../../../../test/contracts/until.js';
import type { StreamEventJson } from './stream-event.js';

export interface Heard extends StreamEventJson {
  /** As the stream gave it: the position. */
  readonly id: number;
}

export interface Listener {
  readonly heard: readonly Heard[];
  /** Up to where the stream has said that nothing else came. */
  readonly position: number;
  readonly opened: number;
  /** Statuses of refused connections. */
  readonly refused: readonly (number | undefined)[];
  /** Waits until the stream has come to a position of the log. */
  hasCome(to: number): Promise<void>;
  close(): void;
}

/** Listens with the `eventsource` package, which connects again by itself. */
export function listen(url: string, accessToken: string | (() => string)): Listener {
  const heard: Heard[] = [];
  const refused: (number | undefined)[] = [];
  let position = 0;
  let opened = 0;
  const source = new EventSource(url, {
    fetch: (address, init) => {
      const token = typeof accessToken === 'string' ? accessToken : accessToken();
      return fetch(address, {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${token}` },
      });
    },
  });
  source.onopen = () => opened++;
  source.onerror = ({ code }) => refused.push(code);
  source.onmessage = ({ data, lastEventId }) => {
    heard.push({ ...(JSON.parse(data as string) as StreamEventJson), id: Number(lastEventId) });
    position = Number(lastEventId);
  };
  source.addEventListener('position', ({ lastEventId }) => (position = Number(lastEventId)));
  return {
    heard,
    refused,
    get position() {
      return position;
    },
    get opened() {
      return opened;
    },
    hasCome: (to) =>
      eventually(() => {
        if (position < to) throw new Error(`the stream has come to ${position}, not ${to}`);
      }),
    close: () => source.close(),
  };
}
