// An internal service as somebody else writes it. API: the API's address, or what stands before it; ISSUER.
import { clientCredentials, createClient, ProblemError } from '@token-status/client';
import type { Token } from '@token-status/client';

const { API = '', ISSUER = '', USER_ID: user = '' } = process.env;
const tokens = createClient({
  baseUrl: API,
  accessToken: clientCredentials({
    issuer: ISSUER,
    clientId: 'demo-service',
    clientSecret: 'demo-service-secret',
    scope: 'tokens:read tokens:write',
    allowHttp: true,
  }),
});

const problemOf = async (asked: Promise<unknown>): Promise<string> => {
  try {
    await asked;
    return 'none';
  } catch (fault) {
    if (!(fault instanceof ProblemError)) throw fault;
    return `${fault.status} ${fault.code} ${fault.errors[0]?.pointer ?? ''}`.trim();
  }
};

const added: Token[] = [];
for (const name of ['one', 'two', 'three']) {
  added.push(
    await tokens.addToken(user, { name, accountId: 'acme', userName: `${user}@example.com` }),
  );
}
const [first, second, third] = added;
if (!first || !second || !third) throw new Error('three were added');

const found: string[] = [];
const search = { user, limit: 2 };
for await (const { id } of tokens.searchTokens(search, { minPosition: third.position })) {
  found.push(id);
}
const disabled = await tokens.disableToken(first.id, { reason: 'rotation', note: 'By the book' });
const again = await tokens.disableToken(first.id);
const enabled = await tokens.enableToken(first.id, {}, { ifVersion: disabled.version });
const stale = await problemOf(tokens.renameToken(first.id, 'uno', { ifVersion: 1 }));
const wrong = await problemOf(tokens.renameToken(first.id, ''));
const unknown = await problemOf(tokens.getToken(`tok_${'0'.repeat(32)}`));
await tokens.revokeToken(second.id);
const revoked = await problemOf(tokens.enableToken(second.id));
const all = await tokens.disableAllTokens(user, { reason: 'offboarding' });
const events: string[] = [];
for await (const { type } of tokens.tokenEvents(first.id)) events.push(type);

console.log(
  JSON.stringify({
    found: found.length,
    newestFirst: found.join() === [third.id, second.id, first.id].join(),
    versions: [disabled.version, again.version, enabled.version],
    status: (await tokens.getToken(first.id, { minPosition: all.position })).status,
    problems: { stale, wrong, unknown, revoked },
    all: all.counts,
    events,
  }),
);
