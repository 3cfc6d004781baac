import { randomBytes } from 'node:crypto';
import type { PipeTransform } from '@nestjs/common';
import { problem } from './problems.js';

export const TOKEN_ID = /^tok_[0-9a-f]{32}$/;
/** Users, accounts and services: printable ASCII, no space, no slash; as the events' schemas have it. */
export const OPAQUE_ID = /^[\x21-\x2e\x30-\x7e]{1,128}$/;

export const newTokenId = (): string => `tok_${randomBytes(16).toString('hex')}`;

/** What can't be a token's id is an unknown token, and answered so. */
export class TokenIdPipe implements PipeTransform<string, string> {
  transform(id: string): string {
    if (!TOKEN_ID.test(id)) throw problem('token-unknown');
    return id;
  }
}

export class UserIdPipe implements PipeTransform<string, string> {
  transform(id: string): string {
    if (!OPAQUE_ID.test(id)) throw problem('user-unknown');
    return id;
  }
}
