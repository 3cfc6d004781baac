/**
 * Opens at the first call and gives the same to every later one; after a failure the next call tries
 * again. Calls at the same time share one try.
 */
export interface OnceOpen<T> {
  readonly open: () => Promise<T>;
  /** Closes what was opened, if anything was. */
  readonly close: () => Promise<void>;
}

export function onceOpen<T extends { close(): Promise<void> }>(
  open: () => Promise<T>,
): OnceOpen<T> {
  let opening: Promise<T> | null = null;
  return {
    open: () => {
      opening ??= open().catch((fault: unknown) => {
        opening = null;
        throw fault;
      });
      return opening;
    },
    close: async () => {
      const opened = await opening?.catch(() => null);
      await opened?.close();
    },
  };
}
