import { randomUUID } from 'node:crypto';
import { PartitionAssigners } from 'kafkajs';
import type { Cluster } from 'kafkajs';
import { within } from '../bounded.js';
import type { KafkaClient } from './kafka-client.js';

/**
 * The id that the broker gave the topic when it was made (KIP-516; brokers from 2.8 on), in base64url
 * as Kafka's own tools print it. A topic that was deleted and made again has another.
 *
 * kafkajs asks for metadata in version 6 at most, and ids come with version 10. So the request is
 * written here, and goes out over kafkajs's own connection, with its TLS and SASL. That takes two
 * things that kafkajs 2.2.4 has but does not promise: an assigner is given the cluster, and a broker
 * has a `connectionPool` with a `send`. Both are checked, and the version is pinned.
 */
export async function topicIdOf(client: KafkaClient, topic: string, ms: number): Promise<string> {
  let cluster: Cluster | undefined;
  client.kafka.consumer({
    groupId: `topic-id-${randomUUID()}`,
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (config) => {
        cluster = config.cluster;
        return PartitionAssigners.roundRobin(config);
      },
    ],
  });
  if (cluster === undefined) throw new Error('kafkajs did not hand out its cluster');
  const asked = cluster;
  const ask = async (): Promise<string> => {
    try {
      await asked.connect();
      await asked.refreshMetadata();
      const answer = await send(await asked.findControllerBroker(), topic);
      if (answer.errorCode !== 0) {
        throw new Error(`the broker has no id for the topic ${topic}: error ${answer.errorCode}`);
      }
      return answer.id;
    } finally {
      await asked.disconnect();
    }
  };
  return await within(ms, `asking for the id of ${topic}`, ask());
}

interface TopicIdentity {
  readonly errorCode: number;
  readonly id: string;
}

/** What we hand to kafkajs's connection, as its own requests look. */
interface WireRequest {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: {
    readonly decode: (payload: Buffer) => Promise<{ readonly payload: Buffer }>;
    readonly parse: (decoded: { readonly payload: Buffer }) => Promise<TopicIdentity>;
  };
}

interface ConnectionPool {
  send(request: WireRequest): Promise<TopicIdentity>;
}

const hasSend = (pool: unknown): pool is ConnectionPool =>
  typeof pool === 'object' && pool !== null && 'send' in pool && typeof pool.send === 'function';

async function send(broker: object, topic: string): Promise<TopicIdentity> {
  const pool: unknown = Reflect.get(broker, 'connectionPool');
  if (!hasSend(pool)) throw new Error('this kafkajs has no connection pool to send over');
  const buffer = metadataRequest(topic);
  return await pool.send({
    request: {
      apiKey: 3,
      apiVersion: 10,
      apiName: 'Metadata',
      encode: () => Promise.resolve({ buf: buffer, buffer }),
    },
    response: {
      decode: (payload) => Promise.resolve({ payload }),
      parse: ({ payload }) => Promise.resolve(readIdentity(payload)),
    },
  });
}

/**
 * Metadata, version 10, for one topic. The first byte ends the flexible request header (no tagged
 * fields), which kafkajs knows nothing of.
 */
export function metadataRequest(topic: string): Buffer {
  const name = Buffer.from(topic);
  return Buffer.concat([
    Buffer.from([0, 2]),
    Buffer.alloc(16), // no id: the topic is named
    varint(name.length + 1),
    name,
    Buffer.from([0, 0, 0, 0, 0]), // no tags; no auto-creation, no authorised operations (twice); no tags
  ]);
}

/** Reads as far as the one topic's id. */
export function readIdentity(payload: Buffer): TopicIdentity {
  let at = 1 + 4; // no tagged fields in the header; throttle time
  const length = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = payload.readUInt8(at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const skip = (bytes: number): void => {
    at += bytes;
  };
  const skipString = (): void => {
    const size = length();
    if (size > 0) skip(size - 1);
  };
  const skipTags = (): void => {
    for (let tags = length(); tags > 0; tags--) {
      length();
      skip(length());
    }
  };
  for (let brokers = length() - 1; brokers > 0; brokers--) {
    skip(4);
    skipString();
    skip(4);
    skipString();
    skipTags();
  }
  skipString(); // cluster id
  skip(4); // controller
  if (length() !== 2) throw new Error('the broker answered for another number of topics than one');
  const errorCode = payload.readInt16BE(at);
  skip(2);
  skipString();
  return { errorCode, id: payload.subarray(at, at + 16).toString('base64url') };
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}
