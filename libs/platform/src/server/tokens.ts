/** Injection tokens of what `createApp` provides everywhere: `@Inject(LOGGER) logger: Logger`. */
export const LOGGER = Symbol('logger');
export const METRICS = Symbol('metrics');
