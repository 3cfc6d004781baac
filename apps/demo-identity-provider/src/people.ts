/** Who can be at the demo provider (all of it is public knowledge). */
export interface DemoUser {
  /** `sub`. */
  readonly id: string;
  /** The e-mail address they sign in with; `preferred_username`. */
  readonly userName: string;
  readonly accountId: string;
  readonly privileges: readonly ('API Access' | 'Account Administration')[];
}

export const DEMO_PASSWORD = 'demo';

export const DEMO_USERS: readonly DemoUser[] = [
  { id: 'u-alice', userName: 'alice@example.com', accountId: 'acme', privileges: ['API Access'] },
  { id: 'u-carol', userName: 'carol@example.com', accountId: 'acme', privileges: ['API Access'] },
  {
    id: 'u-admin',
    userName: 'admin@example.com',
    accountId: 'acme',
    privileges: ['Account Administration', 'API Access'],
  },
  { id: 'u-bob', userName: 'bob@example.com', accountId: 'acme', privileges: [] },
  {
    id: 'u-mallory',
    userName: 'mallory@example.com',
    accountId: 'globex',
    privileges: ['Account Administration', 'API Access'],
  },
];

export const userOf = (id: string): DemoUser | undefined =>
  DEMO_USERS.find((user) => user.id === id);

/** The user who signs in so, or undefined: for an unknown name as for a wrong password. */
export const signIn = (userName: unknown, password: unknown): DemoUser | undefined =>
  password === DEMO_PASSWORD ? DEMO_USERS.find((user) => user.userName === userName) : undefined;

/** What an access token says of its user. */
export const claimsOf = ({
  userName,
  accountId,
  privileges,
}: DemoUser): Record<string, unknown> => ({
  preferred_username: userName,
  account_id: accountId,
  privileges,
});
