import type { RealServers } from './real-servers.js';

/** What the set-up leaves for the tear-down: both are loaded by Jest's own process. */
export const runOfJest: { servers: Promise<RealServers> | undefined } = { servers: undefined };
