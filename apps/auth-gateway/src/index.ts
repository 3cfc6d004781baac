export { AuthGatewayModule } from './auth-gateway.module.js';
export type { AuthGatewayPorts } from './auth-gateway.module.js';
export { authGatewayRules, authGatewaySettings, newGatewayId } from './settings.js';
export type { AuthGatewaySettings } from './settings.js';
export { TOKEN_GUARD } from './token-guard.provider.js';
