/** Injection token of the gateway's one `TokenGuard`. */
export const TOKEN_GUARD = Symbol('token guard');
