import { createHash, randomBytes } from 'node:crypto';
import type { CommandKey } from './log-store.js';

/** For a command that nobody will repeat under a key. */
export const newCommandId = (): string => randomBytes(16).toString('hex');

/** The same caller and key give the same command, in every process and after every crash. */
export const commandIdOf = ({ caller, key }: Pick<CommandKey, 'caller' | 'key'>): string =>
  digest(JSON.stringify([caller, key]));

/** The id of a command's n-th event, from 0 (decision 3). */
export const eventIdOf = (commandId: string, n: number): string => digest(`${commandId}/${n}`);

const digest = (text: string): string =>
  createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 32);
