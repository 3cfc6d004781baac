import type { CommandOnToken, RequestFacts, Seal } from '../commands/token-decisions.js';
import type { BulkTokensBody } from './bulk-tokens.dto.js';

/** What a bulk command is for one of its tokens. */
export async function commandFor(
  { action, reason = null, note, until = null, authority }: BulkTokensBody,
  facts: RequestFacts,
  seal: Seal,
): Promise<CommandOnToken> {
  const why = { reason, note: await seal(note) };
  const named = authority ?? undefined;
  switch (action) {
    case 'disable':
      return { type: 'DisableToken', ...facts, ...why, authority: named, until };
    case 'enable':
      return { type: 'EnableToken', ...facts, ...why, authority: named };
    case 'revoke':
      return { type: 'RevokeToken', ...facts, ...why };
  }
}
