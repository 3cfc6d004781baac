export {
  createDemoIdentityProvider,
  DEFAULT_API_AUDIENCE,
  NotInProduction,
} from './demo-identity-provider.js';
export type {
  DemoIdentityProvider,
  DemoIdentityProviderOptions,
} from './demo-identity-provider.js';
export { DEMO_GRANT } from './configuration.js';
export { DEMO_PASSWORD, DEMO_USERS } from './people.js';
export type { DemoUser } from './people.js';
export { demoIdentityProviderSettings, notInProduction } from './settings.js';
