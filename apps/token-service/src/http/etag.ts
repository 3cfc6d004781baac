import { malformed } from './problems.js';

/** A token's version is its entity tag. */
export const etagOf = (version: number): string => `"${version}"`;

/** No token has it. */
const NO_VERSION = 0;

/**
 * The version that `If-Match` asks for (RFC 9110 section 13.1.1); undefined for any.
 *
 * A weak tag never matches, and a tag that isn't ours neither: both become a version that no token
 * has, so that the domain answers in its order (404 before 412).
 *
 * @throws Problem `invalid-request` for what is no entity tag, or for more than one
 */
export function expectedVersionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined) return undefined;
  const text = ifMatch.trim();
  if (text === '*') return undefined;
  const tag = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/.exec(text);
  if (!tag) throw malformed('If-Match must be one entity tag such as "3", or *.');
  const [, weak, value = ''] = tag;
  return weak === undefined && /^[1-9]\d{0,14}$/.test(value) ? Number(value) : NO_VERSION;
}
