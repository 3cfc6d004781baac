import { LOG_LEVELS, nonEmpty, oneOf, port, url } from '@token-status/platform';
import type { SettingsRule } from '@token-status/platform';

export const demoIdentityProviderSettings = {
  DEMO_IDP_PORT: port({ description: 'Where the provider listens.', default: 3002 }),
  DEMO_IDP_HOST: nonEmpty({
    description: 'The address that it listens on.',
    default: '127.0.0.1',
  }),
  DEMO_IDP_ISSUER: url({
    description:
      'Its name in tokens; callers must reach it by this address. Made of `localhost` and the port where it is left out.',
    optional: true,
    example: 'http://localhost:3002',
  }),
  DEMO_IDP_AUDIENCE: nonEmpty({
    description: 'Which API the access tokens are for.',
    default: 'urn:token-status:api',
  }),
  DEMO_IDP_CONSOLE_URL: url({
    description: 'Where the console is answered; sign-in returns to `/callback` there.',
    default: 'http://localhost:3000',
  }),
  DEMO_IDP_KEYS_FILE: nonEmpty({
    description: 'Keeps the keys, so that tokens stay valid over a restart.',
    optional: true,
    example: './data/demo-idp-keys.json',
  }),
  LOG_LEVEL: oneOf(LOG_LEVELS, { description: 'How much is logged.', default: 'info' }),
  NODE_ENV: nonEmpty({ description: 'Must not be `production`.', optional: true }),
};

export const notInProduction: SettingsRule<{ readonly NODE_ENV: string | undefined }> = ({
  NODE_ENV,
}) =>
  NODE_ENV === 'production'
    ? {
        name: 'NODE_ENV',
        message:
          'is production, where the demo identity provider must not run: its passwords are public. Use a real issuer',
      }
    : null;
