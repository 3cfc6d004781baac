import { describe, expect, it } from '@jest/globals';
import { DEFAULT_EVENT_PARTITIONS, SHORT_RETENTION_MS, topicSpecs, topics } from './topics.js';

describe('the topics', () => {
  it('have the names that are promised outside, and all of a system share a prefix', () => {
    expect(topics()).toStrictEqual({
      events: 'api-token.events',
      heartbeats: 'api-token.heartbeats',
      probes: 'api-token.probes',
      receipts: 'api-token.receipts',
      usage: 'api-token.usage',
    });
    expect(
      Object.values<string>({ ...topics('other') }).every((name) => name.startsWith('other.')),
    ).toBe(true);
  });

  it('keep events for ever in partitions fixed at birth, and the proofs of freshness shortly in one', () => {
    const shortly = { partitions: 1, retention: { ms: SHORT_RETENTION_MS } };
    expect(topicSpecs(topics(), DEFAULT_EVENT_PARTITIONS)).toStrictEqual([
      { name: 'api-token.events', partitions: 12, retention: 'for-ever' },
      { name: 'api-token.heartbeats', ...shortly },
      { name: 'api-token.probes', ...shortly },
    ]);
  });
});
