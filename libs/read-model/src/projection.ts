import { fromEventRecord, readEnvelope, UnreadableEvent } from '@token-status/contracts';
import type { PublishedEvent } from '@token-status/contracts';
import { evolveToken } from '@token-status/domain';
import type { ApiToken, Sealed } from '@token-status/domain';
import type { ReceivedRecord } from '@token-status/event-bus';
import type { ParkedRecord, ParkReason } from './parked-record.js';
import { newRow } from './token-row.js';
import type { TokenRow, TokenTexts } from './token-row.js';

export type Projected =
  | { readonly kind: 'applied'; readonly row: TokenRow }
  | { readonly kind: 'repeated' }
  | { readonly kind: 'parked'; readonly why: ParkReason; readonly detail: string };

/**
 * What an event makes of a token's row. It is applied if its version is the token's next. An older one
 * is a repeat — as far as can be told: the same version must come with the same id (`precise.md` 5),
 * and one before it with an earlier position. Everything else parks the token.
 *
 * The row's texts stay as they are: {@link withTexts} sets them once the sealed ones were opened.
 */
export function projectToken(row: TokenRow, published: PublishedEvent): Projected {
  const { id, position, event } = published;
  const version = row.token?.version ?? 0;
  const park = (why: ParkReason, detail: string): Projected => ({ kind: 'parked', why, detail });

  if (event.tokenVersion <= version) {
    const same =
      event.tokenVersion === version
        ? id === row.eventId && position === row.position
        : position < row.position;
    return same
      ? { kind: 'repeated' }
      : park('contradiction', `version ${event.tokenVersion} was another event before`);
  }
  if (row.parked) return park('behind-parked', 'an earlier event of this token is parked');
  if (event.tokenVersion > version + 1) {
    return park('gap', `version ${version + 1} comes next, got ${event.tokenVersion}`);
  }
  if (position <= row.position) {
    return park('contradiction', 'its position in the log is not after the version before it');
  }
  if ((event.type === 'TokenAdded') !== (version === 0)) {
    return park('contradiction', `${event.type} can't be version ${event.tokenVersion}`);
  }
  if (row.token && (row.token.userId !== event.userId || row.token.accountId !== event.accountId)) {
    return park('contradiction', 'it names another user or account than the token has');
  }
  const token = evolveToken(row.token ?? undefined, event);
  return { kind: 'applied', row: { ...row, token, eventId: id, position } };
}

/** What a run of a partition's records leads to. */
export interface Folded {
  /** Rows that changed, by token id. */
  readonly rows: ReadonlyMap<string, TokenRow>;
  readonly parked: readonly ParkedRecord[];
  readonly applied: number;
  readonly repeated: number;
}

/** Folds records, each of a valid token id, onto the rows loaded for them. Pure but for `parkedAt`. */
export function foldRecords(
  loaded: ReadonlyMap<string, TokenRow>,
  records: readonly ReceivedRecord[],
  parkedAt: string,
): Folded {
  const rows = new Map<string, TokenRow>();
  const parked: ParkedRecord[] = [];
  let applied = 0;
  let repeated = 0;
  for (const record of records) {
    const envelope = readEnvelope(record);
    const { tokenId } = envelope;
    if (tokenId === null) throw new Error('a record without a token id can’t be folded');
    const row = rows.get(tokenId) ?? loaded.get(tokenId) ?? newRow(tokenId);
    const projected = projectRecord(row, record);
    switch (projected.kind) {
      case 'applied':
        applied++;
        rows.set(tokenId, projected.row);
        break;
      case 'repeated':
        repeated++;
        break;
      case 'parked':
        rows.set(tokenId, { ...row, parked: true });
        parked.push({
          partition: record.partition,
          offset: record.offset,
          tokenId,
          tokenVersion: envelope.tokenVersion,
          position: envelope.position,
          eventId: envelope.id,
          why: projected.why,
          detail: projected.detail,
          parkedAt,
          record: { key: record.key, headers: record.headers, value: record.value },
        });
    }
  }
  return { rows, parked, applied, repeated };
}

function projectRecord(row: TokenRow, record: ReceivedRecord): Projected {
  try {
    return projectToken(row, fromEventRecord(record));
  } catch (fault) {
    if (!(fault instanceof UnreadableEvent)) throw fault;
    return { kind: 'parked', why: 'unreadable', detail: fault.message };
  }
}

/** A token's texts as the domain has them. */
export const sealedTexts = (
  token: ApiToken | null,
): { readonly name: Sealed | null; readonly note: Sealed | null } => ({
  name: token?.name ?? null,
  note: token?.disabled?.note ?? null,
});

export const withTexts = (row: TokenRow, texts: TokenTexts): TokenRow => ({ ...row, texts });
