import { exitOnBadSettings } from '@token-status/platform';
import type { Closable, Logger } from '@token-status/platform';
import { Configuration } from './configuration.js';
import { ConfigurationFile } from './configuration-file.js';

/**
 * For `main.ts`: the configuration, which follows its file, and looks at it at once on SIGHUP. Where it is
 * wrong at the start, the process ends as it does on wrong settings.
 */
export async function startConfiguration(
  file: string | undefined,
  logger: Logger,
): Promise<{ readonly configuration: Configuration } & Closable> {
  if (file === undefined) {
    return { configuration: Configuration.of({}), close: () => Promise.resolve() };
  }
  const opened = await ConfigurationFile.open({ file, logger }).catch((fault: unknown) => fault);
  const followed = exitOnBadSettings(() => {
    if (!(opened instanceof ConfigurationFile)) throw opened;
    return opened;
  });
  const onHangup = (): void => void followed.reload();
  process.on('SIGHUP', onHangup);
  return {
    configuration: followed.configuration,
    close: async () => {
      process.off('SIGHUP', onHangup);
      await followed.close();
    },
  };
}
