import { startExpress } from './express.mjs';
import { startFastify } from './fastify.mjs';
import { startNest } from './nest.mjs';

const [express, fastify, nest] = await Promise.all([startExpress(), startFastify(), startNest()]);
process.stdout.write(`${JSON.stringify({ express, fastify, nest })}\n`);
