import type { Environment } from './settings/load-settings.js';
import { SettingsError } from './settings/settings-error.js';

/** Called at each step that a fault test may die at: `failpoint('relay:sent')`. */
export type Failpoint = (step: string) => void;

const NAME = 'TOKEN_STATUS_FAILPOINT';

/**
 * For fault tests: with `NODE_ENV=test` and `TOKEN_STATUS_FAILPOINT=<step>[@n]` the process kills itself
 * (SIGKILL: no clean-up, as when the machine dies) when it comes to that step for the n-th time. Else
 * a step costs one call of an empty function.
 *
 * @throws SettingsError if it is malformed, or set where NODE_ENV isn't `test`
 */
export function createFailpoints(
  env: Environment,
  die: () => void = () => process.kill(process.pid, 'SIGKILL'),
): Failpoint {
  const chosen = env[NAME];
  if (chosen === undefined || chosen === '') return () => undefined;
  if (env.NODE_ENV !== 'test') {
    throw new SettingsError([
      {
        name: NAME,
        message: 'kills the process and is for tests only: unset it, or set NODE_ENV=test',
      },
    ]);
  }
  const [, step, count = '1'] = /^([^@]+?)(?:@([1-9]\d{0,8}))?$/.exec(chosen) ?? [];
  if (step === undefined) {
    throw new SettingsError([
      { name: NAME, message: 'is malformed. It must be `<step>` or `<step>@<n>`' },
    ]);
  }
  let left = Number(count);
  return (reached) => {
    if (reached === step && --left === 0) die();
  };
}
