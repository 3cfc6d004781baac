export { DEMO_CONFIGURATION } from './demo-configuration.js';
export { standaloneSettings } from './settings.js';
export { startStandalone } from './standalone.js';
export { walk } from './welcome.js';
export type { Standalone, StandaloneOptions } from './standalone.js';
