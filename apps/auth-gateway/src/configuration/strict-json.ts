import jsonc from 'jsonc-parser';
import type { Node, ParseError } from 'jsonc-parser';

/** One thing that is wrong with a document. Nothing of a value is ever in the message. */
export interface Fault {
  /** RFC 6901: where in the document; '' is the whole. */
  readonly pointer: string;
  /** Goes on after the pointer: "must be …". */
  readonly message: string;
}

export type Parsed = { readonly document: unknown } | { readonly faults: readonly Fault[] };

/** Levels of lists and objects; a JWK in a set has four. */
const DEEPEST = 20;

/**
 * JSON as people write it by hand and mean it: valid Unicode, no member twice (RFC 8259 §4 leaves open which
 * one counts), no name that every object has anyhow. A byte order mark, as some editors write it, is skipped.
 */
export function parseStrictJson(bytes: Uint8Array): Parsed {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuse('is not valid UTF-8');
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    // Not the error's own words, which quote what stands there.
    return refuse(`is not valid JSON${placeOfFault(text)}`);
  }
  const unwelcome = firstUnwelcome(document);
  if (unwelcome) return { faults: [unwelcome] };
  const twice = repeatedMembers(jsonc.parseTree(text));
  return twice.length === 0 ? { document } : { faults: twice };
}

const refuse = (message: string): Parsed => ({ faults: [{ pointer: '', message }] });

/** RFC 6901, section 3. */
export const jsonPointer = (path: readonly (string | number)[]): string =>
  path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

function placeOfFault(text: string): string {
  const errors: ParseError[] = [];
  try {
    jsonc.parseTree(text, errors, { disallowComments: true });
  } catch {
    // Nested deeper than it can follow; it is wrong all the same.
  }
  const [first] = errors;
  if (!first) return '';
  const before = text.slice(0, first.offset).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  // As in `CommaExpected`.
  const what = jsonc.printParseErrorCode(first.error).replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ');
  return ` (line ${before.length}, column ${column}: ${what.toLowerCase()})`;
}

/**
 * What those after the parser would stumble over: endless nesting, members that every object inherits,
 * half surrogates and infinity, for which canonical JSON has no word.
 */
function firstUnwelcome(document: unknown): Fault | null {
  let level: { path: (string | number)[]; value: unknown }[] = [{ path: [], value: document }];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return { pointer: '', message: `is nested deeper than ${DEEPEST} levels` };
    const below: typeof level = [];
    for (const { path, value } of level) {
      if (value === Infinity || value === -Infinity) {
        return { pointer: jsonPointer(path), message: 'is too large' };
      }
      if (typeof value === 'string' && !value.isWellFormed()) {
        return { pointer: jsonPointer(path), message: 'has half a surrogate' };
      }
      if (typeof value !== 'object' || value === null) continue;
      for (const [name, member] of Object.entries(value)) {
        if (name in Object.prototype || !name.isWellFormed()) {
          return {
            pointer: jsonPointer([...path, name]),
            message: 'has a name that is not offered',
          };
        }
        below.push({ path: [...path, name], value: member });
      }
    }
    level = below;
  }
  return null;
}

function repeatedMembers(tree: Node | undefined): Fault[] {
  const faults: Fault[] = [];
  const look = (node: Node, path: (string | number)[]): void => {
    const names = new Set<string>();
    node.children?.forEach((child, at) => {
      if (child.type !== 'property') {
        look(child, [...path, at]);
        return;
      }
      const [key, value] = child.children ?? [];
      const name = String(key?.value);
      if (names.has(name)) {
        faults.push({ pointer: jsonPointer([...path, name]), message: 'is there twice' });
      }
      names.add(name);
      if (value) look(value, [...path, name]);
    });
  };
  if (tree) look(tree, []);
  return faults;
}
