/**
 * Personal data under a key of its user's, so that it can be made unreadable in a history that is
 * never changed (`precise.md` 23). The keys live outside the log's database and its backups.
 */
export interface PersonalData {
  /**
   * Seals a text with the user's key, which is made where there is none. The same text of the same
   * user gives the same sealed text (a synthetic nonce), so names can be compared without being read.
   *
   * @param text 1 to 1,000 characters; compared as Unicode NFC, which is what {@link open} gives back.
   * @returns printable ASCII without spaces.
   */
  seal(userId: string, text: string): Promise<string>;

  /**
   * @returns the text, or null where the user's key was destroyed.
   * @throws UnreadableSeal where the sealed text was changed or belongs to another user.
   */
  open(userId: string, sealed: string): Promise<string | null>;

  /** Destroys the user's key, for ever: no later `seal` of that user's makes a new one that opens old texts. */
  forget(userId: string): Promise<'forgotten' | 'nothing-held'>;

  close(): Promise<void>;
}

export class UnreadableSeal extends Error {
  override readonly name = 'UnreadableSeal';
}
