import type { ApiToken } from '@token-status/domain';
import type { TokenView } from './token-view.js';

/** The texts of a token in plain, which the domain's state holds sealed. */
export interface TokenTexts {
  readonly name: string | null;
  /** The note of the disable that holds. */
  readonly note: string | null;
}

/** What is stored of a token: more than is shown, since the next event is folded onto it. */
export interface TokenRow {
  readonly id: string;
  /** null where the token was parked before its first event could be read. */
  readonly token: ApiToken | null;
  readonly texts: TokenTexts;
  /** Of the newest applied event: its id, and its position in the log (0 where there is none). */
  readonly eventId: string | null;
  readonly position: number;
  readonly parked: boolean;
}

export const newRow = (id: string): TokenRow => ({
  id,
  token: null,
  texts: { name: null, note: null },
  eventId: null,
  position: 0,
  parked: false,
});

/** null for a token of which nothing is known but that it is parked. */
export function viewOf({ token, texts, position, parked }: TokenRow): TokenView | null {
  if (!token) return null;
  const { disabled } = token;
  return {
    id: token.id,
    name: texts.name,
    hint: token.hint,
    userId: token.userId,
    accountId: token.accountId,
    createdAt: token.createdAt,
    expiresAt: token.expiresAt,
    disabled: disabled && {
      at: disabled.at,
      by: disabled.by,
      authority: disabled.authority,
      reason: disabled.reason,
      note: texts.note,
      until: disabled.until,
    },
    revoked: token.revoked,
    version: token.version,
    position,
    ...(parked ? { parked: true } : {}),
  };
}
