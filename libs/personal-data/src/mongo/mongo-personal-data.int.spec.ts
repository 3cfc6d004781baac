import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { personalDataContract } from '../../../../test/contracts/personal-data.contract.js';
import { openMongoPersonalData } from './mongo-personal-data.js';

personalDataContract('MongoDB', () => {
  const uri = process.env.MONGODB_URI ?? '';
  const database = `keys-${randomUUID().slice(0, 8)}`;
  return Promise.resolve({
    open: (options) => openMongoPersonalData({ uri, database, ...options }),
    destroy: async () => {
      const client = await MongoClient.connect(uri);
      await client.db(database).dropDatabase();
      await client.close();
    },
  });
});
