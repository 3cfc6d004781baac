/** A user's key as it is stored: never bare. */
export interface StoredKey {
  readonly id: string;
  /** Of the master key that wrapped it. */
  readonly masterKeyId: string;
  readonly wrapped: Uint8Array;
}

/** What is held of a user: at most one key, and the ids of those destroyed. */
export interface UserKeys {
  readonly current: StoredKey | null;
  readonly forgotten: readonly string[];
}

/** Where users' keys live. Two adapters, one contract suite (`test/contracts/personal-data.contract.ts`). */
export interface KeyStore {
  find(userId: string): Promise<UserKeys>;
  /** Stores the key unless the user has one, and gives what holds then: all who race get the same. */
  addUnlessHeld(userId: string, key: StoredKey): Promise<UserKeys>;
  /** Destroys the user's key and keeps its id. @returns whether there was one. */
  forget(userId: string): Promise<boolean>;
  close(): Promise<void>;
}
