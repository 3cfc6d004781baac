export { AuthGatewayModule, GRPC_SERVER } from './auth-gateway.module.js';
export type { AuthGatewayPorts } from './auth-gateway.module.js';
export { Configuration } from './configuration/configuration.js';
export type { ConfigurationState } from './configuration/configuration.js';
export type { GatewayConfiguration } from './configuration/gateway-configuration.js';
export type { GrpcEndpoint, GrpcServer } from './grpc/grpc-server.js';
export { authGatewayRules, authGatewaySettings, grpcPort, newGatewayId } from './settings.js';
export type { AuthGatewaySettings } from './settings.js';
export { TOKEN_GUARD } from './token-guard.provider.js';
