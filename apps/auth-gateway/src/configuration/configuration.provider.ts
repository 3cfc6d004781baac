/** Injection token of the gateway's one `Configuration`. */
export const CONFIGURATION = Symbol('configuration');
