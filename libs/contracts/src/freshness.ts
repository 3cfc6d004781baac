import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { epoch, instant } from './forms.js';

/**
 * How a gateway knows that it knows everything (decision 5, `precise.md` 9 and 10).
 *
 * A gateway sends a probe with a nonce. The relay, having read it, reads its clock (`at`), writes to
 * the log's database at majority, reads the head after that write, publishes everything up to it, and
 * then sends a heartbeat that echoes the nonce. A gateway whose watermark has reached `position` has
 * therefore seen all that had been committed when it sent that nonce — on its own clock.
 */
export interface Heartbeat {
  /** Of the log (`precise.md` 5). */
  readonly epoch: string;
  /** The relay's clock before the write; RFC 3339. */
  readonly at: string;
  /** The log's head, read after the write in the same causal session. */
  readonly position: number;
  /** Events topic: partition → one past the last record sent. They locate; they prove nothing. */
  readonly offsets: Readonly<Record<string, string>>;
  /** The newest nonce that was read from each gateway before `at`. */
  readonly echoes: readonly Probe[];
}

export interface Probe {
  readonly gateway: string;
  /** A new one for each probe, unguessable. */
  readonly nonce: string;
}

/** How many gateways' nonces one heartbeat echoes at most; the relay takes turns beyond that. */
export const MAX_ECHOES = 1000;

const gateway = { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' } as const;
const nonce = { type: 'string', pattern: '^[A-Za-z0-9_-]{22,64}$' } as const;

const probeSchema = {
  type: 'object',
  properties: { gateway, nonce },
  required: ['gateway', 'nonce'],
  // A later version may say more; what an older reader needs stays.
  additionalProperties: true,
} as const;

const heartbeatSchema = {
  type: 'object',
  properties: {
    epoch,
    at: instant,
    position: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    offsets: {
      type: 'object',
      propertyNames: { pattern: '^\\d{1,5}$' },
      additionalProperties: { type: 'string', pattern: '^\\d{1,19}$' },
    },
    echoes: { type: 'array', maxItems: MAX_ECHOES, items: probeSchema },
  },
  required: ['epoch', 'at', 'position', 'offsets', 'echoes'],
  additionalProperties: true,
} as const;

export const freshnessSchemas = { Heartbeat: heartbeatSchema, Probe: probeSchema } as const;

const ajv = new Ajv2020({ strict: true });
formats.default(ajv);
const isHeartbeat = ajv.compile<Heartbeat>(heartbeatSchema);
const isProbe = ajv.compile<Probe>(probeSchema);

/** null for anything that is no heartbeat: it proves nothing, and is as good as not sent. */
export const readHeartbeat = (value: string): Heartbeat | null => read(value, isHeartbeat);

/** null for anything that is no probe; what a newer gateway says beyond one is left out of the echo. */
export function readProbe(value: string): Probe | null {
  const probe = read(value, isProbe);
  return probe && { gateway: probe.gateway, nonce: probe.nonce };
}

function read<T>(value: string, is: (data: unknown) => data is T): T | null {
  try {
    const data: unknown = JSON.parse(value);
    return is(data) ? data : null;
  } catch {
    return null;
  }
}
