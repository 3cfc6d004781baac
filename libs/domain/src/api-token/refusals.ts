/** Every way in which a command can be refused; `contracts` gives each its HTTP status and words. */
export type RefusalCode =
  | 'unauthenticated'
  | 'token-disabled'
  | 'token-unknown'
  | 'privilege-missing'
  | 'scope-missing'
  | 'not-own-user'
  | 'authority-too-low'
  | 'version-mismatch'
  | 'token-revoked'
  | 'token-expired'
  | 'token-limit'
  | 'name-taken'
  | 'account-mismatch'
  | 'time-not-ahead';

/** An expected 'no': a value, never thrown. */
export interface Refusal {
  readonly refused: RefusalCode;
}

export const refuse = (code: RefusalCode): Refusal => ({ refused: code });

export const isRefusal = (value: object | string): value is Refusal =>
  typeof value === 'object' && 'refused' in value;
