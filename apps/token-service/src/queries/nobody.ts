import type { Owner } from '@token-status/domain';

/** The owner of what is not there, so that who may not see it can't tell it from what is. */
export const NOBODY: Owner = { userId: '', accountId: '' };
