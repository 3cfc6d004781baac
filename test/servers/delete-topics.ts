import { Kafka, logLevel } from 'kafkajs';

/** Deletes topics, as an operator would; a broker may list them for a moment still. */
export async function deleteTopics(
  brokers: readonly string[],
  ...topics: readonly string[]
): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await admin.deleteTopics({ topics: [...topics] });
  } finally {
    await admin.disconnect();
  }
}
