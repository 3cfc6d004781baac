import { findOrStartServers } from './real-servers.js';
import { runOfJest } from './run-of-jest.js';
import { ServersUnavailable } from './tools.js';

/**
 * Jest calls this only where a selected test belongs to a tier that names it, and workers inherit the
 * environment. More than one tier names it, hence the promise that is kept.
 */
export default async function setUp(): Promise<void> {
  runOfJest.servers ??= findOrStartServers();
  try {
    const servers = await runOfJest.servers;
    process.env.MONGODB_URI = servers.mongodbUri;
    process.env.KAFKA_BROKERS = servers.kafkaBrokers;
  } catch (error) {
    runOfJest.servers = undefined;
    // The stack of this one tells nobody anything.
    throw error instanceof ServersUnavailable ? new Error(error.message) : error;
  }
}
