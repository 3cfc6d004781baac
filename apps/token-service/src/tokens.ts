/** Injection tokens of what the module is given: `@Inject(EVENT_LOG) log: CommandLog`. */
export const EVENT_LOG = Symbol('event log');
export const TOKEN_READS = Symbol('token reads');
export const PERSONAL_DATA = Symbol('personal data');
export const REPORT_KEYS = Symbol('report keys');
export const CLOCK = Symbol('clock');
export const OPTIONS = Symbol('token-service options');
