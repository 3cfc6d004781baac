import { describe, expect, it } from '@jest/globals';
import { loadSettings } from '@token-status/platform';
import type { Environment } from '@token-status/platform';
import { authGatewayRules, authGatewaySettings, newGatewayId } from './settings.js';

const required = { KAFKA_BROKERS: 'a:9092,b:9092' };
const load = (env: Environment) =>
  loadSettings(authGatewaySettings, { ...required, ...env }, ...authGatewayRules);

describe("the gateway's settings", () => {
  it('need brokers, and have defaults for the rest', () => {
    expect(load({})).toMatchObject({
      KAFKA_BROKERS: ['a:9092', 'b:9092'],
      TOPIC_PREFIX: 'api-token',
      EVENT_PARTITIONS: 12,
      BASIC_USER_PREFIX: 'BOOMI_TOKEN.',
      MAX_STALENESS_MS: 5000,
      MAX_CLOCK_ERROR_MS: 500,
      PROBE_EVERY_MS: 250,
      PORT: 3001,
      GRPC_HOST: '127.0.0.1',
      GRPC_PORT: 3003,
    });
    expect(() => loadSettings(authGatewaySettings, {}, ...authGatewayRules)).toThrow(
      /KAFKA_BROKERS/,
    );
  });

  it.each<[string, Environment]>([
    ['GATEWAY_ID', { GATEWAY_ID: 'a b' }],
    ['GATEWAY_ID', { GATEWAY_ID: 'x'.repeat(129) }],
    ['LOG_EPOCH', { LOG_EPOCH: 'E'.repeat(32) }],
    ['PROBE_EVERY_MS', { PROBE_EVERY_MS: '3000' }],
    ['GRPC_PORT', { GRPC_PORT: '65536' }],
    ['GRPC_PORT', { GRPC_PORT: 'none' }],
  ])('refuse a wrong %s: %j', (name, env) => {
    expect(() => load(env)).toThrow(name);
  });

  it.each([
    ['off', 'off'],
    ['0', 0],
    ['4000', 4000],
  ])('take gRPC at the port %s', (GRPC_PORT, port) => {
    expect(load({ GRPC_PORT }).GRPC_PORT).toBe(port);
  });

  it('make another gateway id each time, of the form that is allowed', () => {
    const ids = [newGatewayId(), newGatewayId()];
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(load({ GATEWAY_ID: id }).GATEWAY_ID).toBe(id);
  });
});
