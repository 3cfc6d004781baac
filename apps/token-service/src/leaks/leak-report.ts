import { malformed, problem } from '../http/problems.js';

/** Matches in one report; their disables are as many commits' worth of work for the log. */
export const MOST_MATCHES = 1000;
/** So many matches, with long addresses. */
export const LARGEST_REPORT = 1024 * 1024;

/** A secret that was found in public, and where. */
export interface LeakedSecret {
  readonly token: string;
  readonly type: string;
  /** Empty where the scanner does not say. */
  readonly url: string;
}

/**
 * Reads a report of GitHub's form: a list of `{token, type, url, source}`. Members that we don't know
 * are the scanner's and left alone: a report must not be lost because it says more.
 *
 * @param body whose signature was checked
 * @throws Problem that holds nothing of the report
 */
export function parseLeakReport(body: Buffer): readonly LeakedSecret[] {
  const report = parsed(body);
  if (!Array.isArray(report)) throw malformed('The body must be a JSON array.');
  if (report.length > MOST_MATCHES) {
    throw problem('too-large', { detail: `A report holds at most ${MOST_MATCHES} matches.` });
  }
  const errors: { pointer: string; detail: string }[] = [];
  const matches = report.map((entry: unknown, n) => {
    const members = typeof entry === 'object' && entry !== null ? entry : {};
    const text = (name: string, needed: boolean): string => {
      const value: unknown = Object.hasOwn(members, name)
        ? (members as Readonly<Record<string, unknown>>)[name]
        : undefined;
      if (typeof value === 'string') return value;
      if (needed || (value !== undefined && value !== null)) {
        errors.push({ pointer: `/${n}/${name}`, detail: `${name} must be a text` });
      }
      return '';
    };
    return { token: text('token', true), type: text('type', true), url: text('url', false) };
  });
  if (errors.length > 0) {
    throw problem('invalid-request', {
      detail: 'The body is not as it must be.',
      errors: errors.slice(0, 50),
    });
  }
  return matches;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    throw malformed('The body is not valid JSON.');
  }
}
