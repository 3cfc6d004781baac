import { runOfJest } from './run-of-jest.js';

/** Ends what the set-up started, and forgets it: with --watch the next run sets up anew. */
export default async function tearDown(): Promise<void> {
  const servers = await runOfJest.servers;
  runOfJest.servers = undefined;
  await servers?.stop();
}
