import type { FastifyInstance } from 'fastify';

/** A token has 40 characters; what else a client may send along is never that long. */
const MAX_FORM_BYTES = 16 * 1024;

/** What was sent to `/introspect`, if it was a form of ours. */
export class IntrospectionForm {
  private constructor(readonly token: string) {}

  /**
   * RFC 7662 §2.1 and RFC 6749 §3.2: a parameter without a value counts as left out, none may come twice,
   * unknown ones are ignored. `token_type_hint` could only say what kind of token to look for first: there
   * is one kind.
   *
   * @returns null where it is malformed.
   */
  static read(body: Uint8Array): IntrospectionForm | null {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    } catch {
      return null;
    }
    const parameters = new Map<string, string>();
    for (const [name, value] of new URLSearchParams(text)) {
      if (parameters.has(name)) return null;
      parameters.set(name, value);
    }
    const token = parameters.get('token') ?? '';
    return token === '' ? null : new IntrospectionForm(token);
  }
}

/**
 * Forms, and nothing else: a body of another type comes to the handler as none, which answers it as it
 * answers every malformed request (RFC 6749 §5.2 has one word for those, and none for a wrong type).
 */
export function readForms(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  const read = { parseAs: 'buffer', bodyLimit: MAX_FORM_BYTES } as const;
  fastify.addContentTypeParser<Buffer>(
    'application/x-www-form-urlencoded',
    read,
    (_request, body, done) => done(null, IntrospectionForm.read(body)),
  );
  fastify.addContentTypeParser<Buffer>('*', read, (_request, _body, done) => done(null, null));
}
