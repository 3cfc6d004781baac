import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { callerAddress } from './caller-address.js';

const from = (remoteAddress: string, forwardedFor?: string): IncomingMessage =>
  ({
    socket: { remoteAddress },
    headers: forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor },
  }) as unknown as IncomingMessage;

describe('where a request comes from', () => {
  const addressOf = callerAddress(['loopback', '10.0.0.0/8', '2001:db8::/32']);

  it.each([
    ['nobody is between', from('192.0.2.1'), '192.0.2.1'],
    ['a stranger claims to stand for another', from('192.0.2.1', '198.51.100.7'), '192.0.2.1'],
    ['a trusted proxy tells', from('127.0.0.1', '198.51.100.7'), '198.51.100.7'],
    ['two trusted proxies tell', from('::1', '198.51.100.7, 10.1.2.3'), '198.51.100.7'],
    ['the client wrote more in front', from('10.9.9.9', '1.1.1.1, 198.51.100.7'), '198.51.100.7'],
    ['a trusted proxy says nothing', from('127.0.0.1'), '127.0.0.1'],
    ['it is by IPv6', from('2001:db8::1', '2001:4860::8888'), '2001:4860::8888'],
  ])('is known when %s', (_, request, address) => {
    expect(addressOf(request)).toBe(address);
  });
});
