import { MongoClient } from 'mongodb';

/** Removes what a test has made, whichever room's databases they are. */
export async function dropDatabases(uri: string, ...names: readonly string[]): Promise<void> {
  const client = await new MongoClient(uri).connect();
  try {
    for (const name of names) await client.db(name).dropDatabase();
  } finally {
    await client.close();
  }
}
