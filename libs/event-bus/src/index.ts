export * from './event-bus.js';
export { createKafkaEventBus } from './kafka/kafka-event-bus.js';
export type { KafkaEventBusOptions } from './kafka/kafka-event-bus.js';
export type { BusLogger, KafkaSasl } from './kafka/kafka-client.js';
export { createInProcessEventBus } from './in-process/in-process-event-bus.js';
export type { InProcessEventBusOptions } from './in-process/in-process-event-bus.js';
export type { DurableSource } from './in-process/partition-log.js';
