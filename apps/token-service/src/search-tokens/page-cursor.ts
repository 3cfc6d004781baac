import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Caller } from '@token-status/domain';
import { malformedParameter } from '../http/problems.js';

interface PageCursors {
  seal(cursor: string): string;
  /** @throws Problem `invalid-request` for one that was not given to this caller, letter for letter */
  open(sealed: string): string;
}

/**
 * The read model's cursors as callers get them: with a code over them and the caller, so that none can be
 * made up, changed or passed on. What they say is no secret, and whose tokens are seen never rests on
 * them; but what is always refused can be changed tomorrow.
 */
export function pageCursors(key: Uint8Array, { kind, id, accountId }: Caller): PageCursors {
  const codeOf = (cursor: string): Buffer =>
    createHmac('sha256', key)
      .update(JSON.stringify(['page cursor', kind, id, accountId, cursor]))
      .digest();
  return {
    seal: (cursor) => `${cursor}.${codeOf(cursor).toString('base64url')}`,
    open: (sealed) => {
      const [cursor = '', code = ''] = sealed.split('.');
      const given = Buffer.from(code, 'base64url');
      const right = codeOf(cursor);
      if (given.length === right.length && timingSafeEqual(given, right)) return cursor;
      throw malformedParameter('cursor', 'this is no cursor that was given to this caller');
    },
  };
}
