import { customCleanEnv, EnvMissingError, makeValidator } from 'envalid';
import type { ValidatorSpec } from 'envalid';
import { maskSecrets } from '../logging/mask-secrets.js';
import type { Setting, SettingsOf, SettingsSchema } from './setting.js';
import { SettingsError } from './settings-error.js';
import type { SettingFault } from './settings-error.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Looks at all settings together; says what is wrong or null. Asked once each is well formed. */
export type SettingsRule<T> = (settings: T) => SettingFault | null;

/**
 * Reads an app's settings. A variable that is set to nothing counts as not set (Compose files write
 * `NAME=` for that).
 *
 * @throws SettingsError naming every fault.
 */
export function loadSettings<S extends SettingsSchema>(
  schema: S,
  env: Environment,
  ...rules: readonly SettingsRule<SettingsOf<S>>[]
): SettingsOf<S> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const faults: SettingFault[] = [];
  const values = customCleanEnv(given, specsOf(schema), (cleaned) => ({ ...cleaned }), {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors)) {
        const setting = schema[name];
        if (setting === undefined || error === undefined) continue;
        faults.push({ name, message: describeFault(setting, given[name], error) });
      }
    },
  });
  if (faults.length > 0) throw new SettingsError(faults);

  const settings = Object.freeze(values) as SettingsOf<S>;
  const broken = rules.map((rule) => rule(settings)).filter((fault) => fault !== null);
  if (broken.length > 0) throw new SettingsError(broken);
  return settings;
}

function specsOf(schema: SettingsSchema): Record<string, ValidatorSpec<unknown>> {
  return Object.fromEntries(
    Object.entries(schema).map(([name, setting]) => {
      const { description, parse, default: fallback, developmentDefault, optional } = setting;
      const spec: ValidatorSpec<unknown> = makeValidator<unknown>(parse)({
        desc: description,
        ...(fallback !== undefined || optional ? { default: fallback } : {}),
        ...(developmentDefault === undefined ? {} : { devDefault: developmentDefault }),
      });
      return [name, spec];
    }),
  );
}

function describeFault(setting: Setting<unknown>, value: string | undefined, error: Error): string {
  const example = setting.example === undefined ? '' : `, for example ${setting.example}`;
  const wanted = `It must be ${setting.form}${example}. Meaning: ${setting.description}`;
  if (error instanceof EnvMissingError || value === undefined) return `is not set. ${wanted}`;
  // A secret may also have been put into the wrong variable, so what is shown is masked and short.
  const shown = setting.secret ? '' : ` (${JSON.stringify(maskSecrets(value).slice(0, 60))})`;
  return `${error.message}${shown}. ${wanted}`;
}

/** A Markdown table of the settings, for an app's README; made from the schema so that it can't lie. */
export function describeSettings(schema: SettingsSchema): string {
  const rows = Object.entries(schema).map(([name, setting]) =>
    [
      `\`${name}\``,
      setting.description,
      setting.form,
      defaultOf(setting),
      setting.secret ? 'yes' : '',
    ]
      .map((cell) => cell.replaceAll('|', '\\|'))
      .join(' | '),
  );
  return [
    '| setting | meaning | form | default | secret |',
    '|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

function defaultOf(setting: Setting<unknown>): string {
  const { default: fallback, developmentDefault, optional, secret } = setting;
  if (developmentDefault !== undefined) {
    return `required in production; else ${secret ? 'a fixed one' : show(developmentDefault)}`;
  }
  if (fallback !== undefined) return secret ? 'a fixed one' : show(fallback);
  return optional ? 'none' : 'required';
}

const show = (value: unknown): string =>
  `\`${Array.isArray(value) ? value.join(',') || 'none' : String(value)}\``;
