import { describe, expect, it } from '@jest/globals';
import {
  PROBLEMS,
  currentVersion,
  eventSchemas,
  fromEventRecord,
  problemUri,
  tagsOf,
  toEventRecord,
  upcast,
} from '@token-status/contracts';
import type { ProblemCode, WireEvent } from '@token-status/contracts';
import { AUTHORITIES, REASONS } from '@token-status/domain';
import type { RefusalCode, TokenEvent } from '@token-status/domain';
import {
  at,
  byAdmin,
  byScanner,
  tokenAdded,
  tokenDisabled,
  tokenEnabled,
  tokenRenamed,
  tokenRevoked,
} from './api-token.samples.js';

/** What `libs/domain` decides and what `libs/contracts` writes, which know nothing of each other. */

// Each is the other, at compile time: a field that only one of them has fails `npm run types`.
const asWire = (event: TokenEvent): WireEvent => event;
const asDomain = (event: WireEvent): TokenEvent => event;

const events: readonly (readonly [string, TokenEvent])[] = [
  ['an added token', tokenAdded()],
  ['an added token that expires', tokenAdded({ expiresAt: at(1), origin: 'sealed-address' })],
  ['a renamed token', tokenRenamed(2)],
  ...AUTHORITIES.map(
    (authority) => [`a disable by ${authority}`, tokenDisabled(2, { authority })] as const,
  ),
  ...REASONS.map((reason) => [`the reason ${reason}`, tokenDisabled(2, { reason })] as const),
  [
    'a disable with all that it may carry',
    tokenDisabled(2, { ...byScanner, until: at(100), note: 'sealed-note', reason: 'exposed' }),
  ],
  ['an enabled token', tokenEnabled(3, byAdmin)],
  [
    'a token enabled by the scheduler',
    tokenEnabled(3, { cause: 'until', by: { kind: 'scheduler', id: 'scheduler' } }),
  ],
  ['a revoked token', tokenRevoked(4, { reason: 'offboarding', note: 'sealed-note' })],
];

describe('an event of the domain', () => {
  it.each(events)('%s matches the schema that is written today', (_, event) => {
    const { type, ...data } = event;
    expect(upcast(type, currentVersion[type], data)).toStrictEqual(event);
  });

  it.each(events)('%s is published and read as the same event', (_, event) => {
    const { type, ...data } = event;
    const published = toEventRecord(
      {
        position: 7,
        id: 'a'.repeat(32),
        type,
        schemaVersion: currentVersion[type],
        tags: tagsOf(asWire(event)),
        data,
        traceparent: null,
        hash: '',
      },
      'e'.repeat(32),
    );
    expect(asDomain(fromEventRecord(published).event)).toStrictEqual(event);
  });
});

describe('the lists that both rooms hold', () => {
  const values = (schema: string, property: string): unknown =>
    (eventSchemas[schema] as { properties: Record<string, { enum: unknown[] }> }).properties[
      property
    ]?.enum;

  it('are the same: reasons, with null for none, and authorities', () => {
    expect(values('TokenDisabled.v1', 'reason')).toStrictEqual([...REASONS, null]);
    expect(values('TokenDisabled.v1', 'disabledWith')).toStrictEqual([...AUTHORITIES]);
  });
});

describe('a refusal of the domain', () => {
  // The statuses of the API's page; `satisfies` makes a code that is not listed an error of types.
  const statuses = {
    unauthenticated: 401,
    'token-disabled': 401,
    'time-not-ahead': 400,
    'privilege-missing': 403,
    'scope-missing': 403,
    'not-own-user': 403,
    'authority-too-low': 403,
    'token-unknown': 404,
    'token-revoked': 409,
    'token-expired': 409,
    'token-limit': 409,
    'name-taken': 409,
    'account-mismatch': 409,
    'version-mismatch': 412,
  } as const satisfies Readonly<Record<RefusalCode, number>>;

  it.each(Object.entries(statuses))('%s is a problem with status %i', (code, status) => {
    expect(PROBLEMS[code as RefusalCode].status).toBe(status);
  });
});

describe('the table of problems', () => {
  it.each(Object.entries(PROBLEMS))(
    '%s has a status of an error, a title and a type',
    (code, problem) => {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(problem.status).toBeGreaterThanOrEqual(400);
      expect(problem.status).toBeLessThan(600);
      expect(problem.title).toMatch(/^[A-Z].*[^.]$/);
      expect(problemUri(code)).toBe(`urn:token-status:problem:${code}`);
    },
  );

  it('says each thing once', () => {
    const titles = Object.values(PROBLEMS).map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it("has one for every status of the API's page", () => {
    const there = new Set<number>(Object.values(PROBLEMS).map(({ status }) => status));
    for (const status of [400, 401, 403, 404, 409, 412, 422, 429, 503]) {
      expect(there.has(status)).toBe(true);
    }
    const code: ProblemCode = 'key-reused';
    expect(PROBLEMS[code].status).toBe(422);
  });
});
