import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { isRealTime } from '../forms.js';
import { currentVersion, dataSchema, eventSchemas } from './schemas.js';
import type { EventType, WireEvent } from './wire-events.js';

/** Data that is no event that was ever written: unknown type or version, or not as its schema says. */
export class UnreadableEvent extends Error {
  override readonly name = 'UnreadableEvent';
}

type Upcaster = (data: unknown) => unknown;

/** From `<type>.v<n>` to the data of version n + 1. Pure, and never changed once released. */
const upcasters: Readonly<Record<string, Upcaster>> = {};

const ajv = new Ajv2020({ strict: true, allErrors: false, allowUnionTypes: true });
ajv.addFormat('date-time', { type: 'string', validate: isRealTime });
const validators = new Map<string, ValidateFunction>(
  Object.entries(eventSchemas).map(([name, schema]) => [name, ajv.compile(schema)]),
);

/**
 * Reads an event of any version as today's.
 *
 * @throws UnreadableEvent naming the type and version, if there are such, and the place; never a value.
 */
export const upcast = (type: string, version: number, data: unknown): WireEvent =>
  ({ ...today(type, version, data), type }) as WireEvent;

/** As {@link upcast}, of data that nobody else has: copying takes as long as all the rest. */
export function upcastInPlace(type: string, version: number, data: unknown): WireEvent {
  const event = today(type, version, data) as { type?: string };
  event.type = type;
  return event as WireEvent;
}

function today(type: string, version: number, data: unknown): object {
  const validate = validators.get(`${type}.v${version}`);
  // Neither is named: whoever wrote them could have put anything there.
  if (!validate) throw new UnreadableEvent('no event of such a type and version was ever written');
  if (!validate(data)) {
    const [error] = validate.errors ?? [];
    const where = error?.instancePath ?? '';
    throw new UnreadableEvent(
      `${dataSchema(type, version)}${where} ${error?.message ?? 'is wrong'}`,
    );
  }
  let event: unknown = data;
  for (let v = version; v < currentVersion[type as EventType]; v++) {
    const up = upcasters[`${type}.v${v}`];
    if (!up) throw new UnreadableEvent(`no upcaster from ${dataSchema(type, v)}`);
    event = up(event);
  }
  return event as object;
}
