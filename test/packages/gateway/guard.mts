import { createTokenGuard, topics } from '@token-status/token-guard';
import type { TokenGuard } from '@token-status/token-guard';

const { KAFKA_BROKERS = '', TOPIC_PREFIX = '' } = process.env;

/** As each gateway of somebody else's makes its own. */
export const guardOf = (gatewayId: string): TokenGuard =>
  createTokenGuard({
    kafka: { brokers: KAFKA_BROKERS.split(',') },
    topics: topics(TOPIC_PREFIX),
    gatewayId,
    onFault: (fault) => process.stderr.write(`${fault.message}\n`),
  });
