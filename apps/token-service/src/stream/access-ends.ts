/**
 * When an access token ends, in milliseconds since 1970, or null for what is no JWT. Whoever asks has
 * verified it: this only reads the `exp` of the same header again.
 */
export function accessEndsAt(authorization: string | undefined): number | null {
  const [, payload] = /^bearer +[\w-]+\.([\w-]+)\.[\w-]+ *$/i.exec(authorization ?? '') ?? [];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const { exp } = claims as { readonly exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : null;
  } catch {
    return null;
  }
}
