import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { CloudEvent, Kafka } from 'cloudevents';
import { parseSigningKey, signEvent } from '@token-status/contracts';
import type { EventRecord } from '@token-status/contracts';

/** Our records, as the CloudEvents project's own library reads them. */

const GOLDEN = new URL('../golden/events/', import.meta.url);
const names = readdirSync(GOLDEN);

describe.each(names)('the published record %s', (name) => {
  const { key, headers, value } = JSON.parse(
    readFileSync(new URL(name, GOLDEN), 'utf8'),
  ) as EventRecord;
  const message = { key, headers: { ...headers }, value, body: value, timestamp: '0' };

  it('is a CloudEvent in the binary mode of Kafka', () => {
    expect(Kafka.isEvent(message)).toBe(true);
    const event = Kafka.toEvent<Record<string, unknown>>(message);
    if (!(event instanceof CloudEvent)) throw new Error('one event was sent, a batch was read');
    expect(event.validate()).toBe(true);
    const data = JSON.parse(value) as Record<string, unknown>;
    expect(event.data).toStrictEqual(data);
    const { id, source, specversion, type, subject, time, dataschema, datacontenttype } = event;
    expect({
      ...{ id, source, specversion, type, subject, dataschema, datacontenttype },
      time: new Date(time ?? '').toISOString(),
    }).toStrictEqual({
      id: headers.ce_id,
      source: 'urn:token-status:log:0c4d1f7e92ab4f6d8e35b7a019c2d6f4',
      specversion: '1.0',
      type: name.split('.v')[0],
      subject: data.tokenId,
      dataschema: `urn:token-status:event:${name.replace('.v', ':v').replace('.json', '')}`,
      datacontenttype: 'application/json',
      time: data.at,
    });
  });

  it('has the extensions position, tokenversion and, where there is one, traceparent, and no others', () => {
    const extensions = Object.keys(headers)
      .filter((header) => header.startsWith('ce_'))
      .map((header) => header.slice(3))
      .filter((attribute) => !core.has(attribute));
    const traced = 'ce_traceparent' in headers ? ['traceparent'] : [];
    expect(extensions).toStrictEqual(['position', 'tokenversion', ...traced]);
    for (const attribute of extensions) expect(attribute).toMatch(/^[a-z0-9]{1,20}$/);
  });

  it('is the same event where it is signed, with the extensions signature and keyid', () => {
    const k = Buffer.alloc(32, 7).toString('base64url');
    const key = parseSigningKey({ kty: 'oct', alg: 'HS256', k, kid: 'relay-1' });
    const signed = signEvent({ key: message.key, headers, value }, 'api-token.events', key);
    const read = (headers: Readonly<Record<string, string>>): Record<string, unknown> => {
      const event = Kafka.toEvent({ ...message, headers: { ...headers } });
      if (!(event instanceof CloudEvent)) throw new Error('one event was sent, a batch was read');
      expect(event.validate()).toBe(true);
      return event.toJSON();
    };
    const { signature, keyid, ...rest } = read(signed.headers);
    expect(rest).toStrictEqual(read(headers));
    expect([signature, keyid]).toStrictEqual([signed.headers.ce_signature, 'relay-1']);
  });

  it('has the token id as key and neither a secret nor a user name in the clear', () => {
    expect(key).toBe(headers.ce_subject);
    expect(JSON.stringify(message)).not.toMatch(/tst_|@|BOOMI_TOKEN/);
  });
});

const core = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'dataschema']);
