import { PROBLEMS } from '@token-status/contracts';
import {
  ACTIONS,
  API_TOKEN,
  ENABLES,
  NOTHING,
  SERVICES,
  USERS,
  WHOSE,
  isAuthority,
} from './permission-table.spec.js';
import type { Action, Answer, Answers } from './permission-table.spec.js';

const HEADINGS = {
  list: 'list',
  get: 'get',
  history: 'history',
  search: 'search',
  stream: 'stream',
  add: 'add',
  change: 'rename, disable, enable, revoke',
  disableAll: 'disable all of a user',
  bulk: 'bulk',
} as const;

function cell(answer: Answer, action?: Action): string {
  // One refusal in a bulk command is one result of many.
  if (action === 'bulk' && answer === 'token-unknown') return 'refused: `token-unknown`';
  if (isAuthority(answer)) return `as ${answer}`;
  if (answer === NOTHING) return 'finds nothing';
  return `${PROBLEMS[answer].status} \`${answer}\``;
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');

const rowsOf = (caller: string, may: Readonly<Record<string, Answers>>): string[][] =>
  Object.entries(may).map(([whose, answers], n) => [
    n === 0 ? caller : '',
    whose,
    ...ACTIONS.map((action) => cell(answers[action], action)),
  ]);
const inOrder = (may: (typeof USERS)[number]['may']): Readonly<Record<string, Answers>> =>
  Object.fromEntries(WHOSE.map((whose) => [whose, may[whose]]));
const heads = ['caller', 'tokens', ...ACTIONS.map((action) => HEADINGS[action])];

/** `docs/permissions.md`, whole. */
export const permissionsDocument = (): string => `# Who may do what

Made from \`src/policy/permission-table.spec.ts\`, which the specs beside it run through completely: the
domain for every combination of privileges and scopes, the API for every one that an issuer can give. To
make it again: \`WRITE_DOCS=1 npm run unit -- permissions-document\`.

*as owner, as administrator, as security*: it is permitted, on that authority (or on a lower one that the
request names). Anything else is the answer that the caller gets instead. Who presents no access token and
no API token, or one that is not valid, gets 401 to all of it. Where a token is another's, the answer is
that of a token that is not there, and in the same words. *Of nobody known*: there is no such token, or no
such user.

## Users

Scopes change nothing for a user.

${table(heads, [
  ...USERS.flatMap(({ caller, may }) => rowsOf(caller, inOrder(may))),
  ...rowsOf(API_TOKEN.caller, inOrder(API_TOKEN.may)),
])}

An API token adds tokens only where it is presented by Basic, which names its user (403
\`user-name-unproven\`). Once it is disabled, revoked or expired it can do nothing, whatever the read model
still says (rule 10).

## Services

Privileges change nothing for a service. It adds a token for any user whom it names.

${table(
  heads,
  SERVICES.flatMap(({ caller, may }) => rowsOf(caller, may)),
)}

## Enabling what was disabled

Rule 4: what was disabled on a higher authority can't be enabled on a lower one. The scheduler enables at
the end of a disable (\`until\`) on the authority of that disable.

${table(
  ['disabled', ...Object.keys(ENABLES).map((on) => `to be enabled as ${on}`)],
  Object.entries(ENABLES).map(([disabledWith, row]) => [
    `as ${disabledWith}`,
    ...Object.values(row).map((may) => (may ? 'yes' : cell('authority-too-low'))),
  ]),
)}

Without an access token: whoever holds a token's secret may disable that very token by presenting it
(\`POST /v1/tokens/self/disable\`), and a signed report of leaks disables what it names, as security
(\`POST /v1/leaks\`).
`;
