/** One thing that is wrong with the settings. `message` never holds a secret's value. */
export interface SettingFault {
  readonly name: string;
  readonly message: string;
}

/** All that is wrong with an app's settings, at once. Its message is for a person, and complete. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';

  constructor(readonly faults: readonly SettingFault[]) {
    super(
      [
        faults.length === 1 ? 'A setting is wrong:' : `${faults.length} settings are wrong:`,
        ...faults.map(({ name, message }) => `  ${name} ${message}`),
        'Settings are environment variables. Correct these and start again.',
      ].join('\n'),
    );
  }
}
