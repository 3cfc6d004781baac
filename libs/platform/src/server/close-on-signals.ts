import type { Logger } from '../logging/logger.js';

/** What a signal closes: an app, or the relay's loop. */
export interface Closable {
  close(): Promise<void>;
}

export interface CloseOnSignalsOptions {
  readonly logger: Logger;
  /** Past this, the process ends with 1, come what may. Default 30 s. */
  readonly withinMs?: number;
  readonly exit?: (code: number) => void;
}

/**
 * SIGTERM or SIGINT closes the parts one after the other, in the order given, and ends the process with
 * 0; with 1 if closing fails or takes too long. A second signal ends it with 1 at once.
 *
 * @returns stops listening to signals.
 */
export function closeOnSignals(
  parts: readonly Closable[],
  { logger, withinMs = 30_000, exit = (code) => process.exit(code) }: CloseOnSignalsOptions,
): () => void {
  let closing = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (closing) {
      logger.warn({ signal }, 'a second signal: ending at once');
      exit(1);
      return;
    }
    closing = true;
    logger.info({ signal }, 'closing');
    setTimeout(() => {
      logger.error('closing took too long: ending');
      exit(1);
    }, withinMs).unref();
    closeAll(parts, logger).then(
      (failed) => {
        logger.info('closed');
        exit(failed ? 1 : 0);
      },
      () => exit(1),
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return () => {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
  };
}

/** One part that fails to close must not keep the others open. */
async function closeAll(parts: readonly Closable[], logger: Logger): Promise<boolean> {
  let failed = false;
  for (const part of parts) {
    try {
      await part.close();
    } catch (error) {
      failed = true;
      logger.error({ err: error }, 'a part failed to close');
    }
  }
  return failed;
}
