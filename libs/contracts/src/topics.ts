/** The topics of `api.md`, under a prefix so that several systems can share a broker. */
export interface Topics {
  readonly events: string;
  readonly heartbeats: string;
  readonly probes: string;
  readonly receipts: string;
  readonly usage: string;
}

export const DEFAULT_TOPIC_PREFIX = 'api-token';

export const topics = (prefix: string = DEFAULT_TOPIC_PREFIX): Topics => ({
  events: `${prefix}.events`,
  heartbeats: `${prefix}.heartbeats`,
  probes: `${prefix}.probes`,
  receipts: `${prefix}.receipts`,
  usage: `${prefix}.usage`,
});

/** Of the events topic; fixed at birth, since a token's partition must never change. */
export const DEFAULT_EVENT_PARTITIONS = 12;

/** Heartbeats and probes are worth nothing after a few seconds. */
export const SHORT_RETENTION_MS = 10 * 60 * 1000;

interface TopicShape {
  readonly name: string;
  readonly partitions: number;
  readonly retention: 'for-ever' | { readonly ms: number };
}

/** What the topics that are in use must be like; each app makes sure of those that it touches. */
export function topicSpecs(names: Topics, eventPartitions: number): readonly TopicShape[] {
  return [
    { name: names.events, partitions: eventPartitions, retention: 'for-ever' },
    { name: names.heartbeats, partitions: 1, retention: { ms: SHORT_RETENTION_MS } },
    { name: names.probes, partitions: 1, retention: { ms: SHORT_RETENTION_MS } },
  ];
}
