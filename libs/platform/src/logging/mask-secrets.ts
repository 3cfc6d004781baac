/**
 * What must not be readable in a log, wherever it stands. It works on text — for a log, on the whole
 * finished line — because secrets come in messages, URLs and the errors of libraries, at any depth,
 * and a list of property paths misses those.
 *
 * Every rule takes time linear in the text: none may start again inside of what it has just read,
 * since callers choose what stands in their URLs and headers.
 */
const MASK = '[masked]';

/** Names whose values are secrets, as property names; in any case, with any words before them. */
const NAMES = [
  'authorization',
  'cookie',
  'secret',
  'passw(?:or)?d',
  'passphrase',
  '(?:access|refresh|id)[_-]?token',
  '(?:api|private|data|name)[_-]?key',
  'code_verifier',
  'assertion',
].join('|');

/** A rule is tried on a text that has `sign` in it: most lines have none of the signs, and logging stays cheap. */
const RULES: readonly (readonly [sign: string, pattern: RegExp, replacement: string])[] = [
  // Our own secrets (contracts' secret.ts has their form), a truncated one too: 7 characters are
  // one more than the hint, which may be shown.
  ['tst_', /tst_[0-9A-Za-z]{7,}/g, `tst_${MASK}`],
  // JSON Web Tokens: header and payload begin with `{"` in base64url.
  ['eyJ', /(?<![\w-])eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*/g, MASK],
  [' ', /\b(bearer|basic)( +)[\w.~+/-]{6,}=*/gi, `$1$2${MASK}`],
  // "name": "value" and "name": ["a", "b"] in JSON.
  [
    '"',
    new RegExp(
      `("[\\w-]*(?:${NAMES})"\\s*:\\s*)(?:"[^"\\\\]*(?:\\\\.[^"\\\\]*)*"|\\[[^\\]{}]*\\]|-?\\d[\\d.eE+-]*)`,
      'gi',
    ),
    `$1"${MASK}"`,
  ],
  // The same in JSON inside of a JSON string.
  [
    '\\"',
    new RegExp(
      `(\\\\"[\\w-]*(?:${NAMES})\\\\"\\s*:\\s*)\\\\"(?:[^"\\\\]|\\\\{2}(?:\\\\["\\\\]|[^"\\\\]))*\\\\"`,
      'gi',
    ),
    `$1\\"${MASK}\\"`,
  ],
  // name=value in a query or a form; `code` is OAuth's.
  ['=', new RegExp(`(?<![\\w-])((?:[\\w-]*(?:${NAMES})|code)=)[^&\\s"'\\\\]+`, 'gi'), `$1${MASK}`],
  // A password in a URL's authority.
  ['@', /(\/\/[^\s/:@"'\\]*:)[^\s/@"'\\]+@/g, `$1${MASK}@`],
];

/** `text` without the secrets in it. */
export function maskSecrets(text: string): string {
  let masked = text;
  for (const [sign, pattern, replacement] of RULES) {
    if (masked.includes(sign)) masked = masked.replace(pattern, replacement);
  }
  return masked;
}
