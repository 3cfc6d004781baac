import { SettingsError } from './settings-error.js';

/** BSD's `sysexits.h`: something was found in an unconfigured or misconfigured state. */
export const EX_CONFIG = 78;

/**
 * For `main.ts`: what `load` returns; or, where settings are wrong, prints what and ends the process
 * with 78. A supervisor can tell that from a crash and not restart. No stack trace: it says nothing here.
 */
export function exitOnBadSettings<T>(load: () => T): T {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EX_CONFIG);
  }
}
