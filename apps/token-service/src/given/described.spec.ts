import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { tokenServiceOpenApi } from '../openapi/token-service-openapi.js';

const document = tokenServiceOpenApi();
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema({ $id: 'https://document.test/', ...(closed(document) as object) });

/**
 * Every answer that a spec gets is one that the OpenAPI document has for that route: its status, its
 * problem's code, its members and no others. So the document is held against all that is tested.
 *
 * @throws Error that says what the document does not have
 */
export function expectDescribed(
  method: string,
  path: string,
  answer: { readonly status: number; readonly type: string; readonly json: unknown },
): void {
  const [route, operation] = operationAt(method, path.split('?', 1)[0] ?? '') ?? [];
  if (route === undefined || operation === undefined) return;
  const asked = `${method} ${route} answered ${answer.status}`;
  const response = (operation.responses as Record<string, Content | undefined>)[answer.status];
  if (response === undefined) {
    throw new Error(`${asked} ${JSON.stringify(answer.json)}, which its document does not have`);
  }
  const type = answer.type.split(';', 1)[0] ?? '';
  if (response.content?.[type] === undefined) {
    throw new Error(`${asked} in ${type}, which its document does not have`);
  }
  if (!type.endsWith('json') || type.endsWith('ndjson')) return;
  const check = checkOf(route, method, answer.status, type);
  if (!check(answer.json)) {
    throw new Error(
      `${asked} with ${JSON.stringify(answer.json)}: ${ajv.errorsText(check.errors)}`,
    );
  }
}

interface Content {
  readonly content?: Readonly<Record<string, unknown>>;
}

function operationAt(method: string, path: string) {
  const parts = path.split('/');
  const fits = (pattern: string): boolean => {
    const wanted = pattern.split('/');
    return (
      wanted.length === parts.length &&
      wanted.every((part, n) => (part.startsWith('{') ? parts[n] !== '' : part === parts[n]))
    );
  };
  const found = Object.entries(document.paths)
    .filter(([pattern]) => fits(pattern))
    // A router goes by what is literal first.
    .sort(([a], [b]) => a.split('{').length - b.split('{').length)
    .flatMap(([pattern, methods]) => {
      const operation = methods[method.toLowerCase()];
      return operation ? [[pattern, operation] as const] : [];
    });
  return found[0];
}

const checks = new Map<string, ValidateFunction>();
function checkOf(route: string, method: string, status: number, type: string): ValidateFunction {
  const pointer = ['paths', route, method.toLowerCase(), 'responses', `${status}`, 'content', type]
    .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
    .join('/');
  const $ref = `https://document.test/#/${pointer}/schema`;
  const check = checks.get($ref) ?? ajv.compile({ $ref });
  checks.set($ref, check);
  return check;
}

/** The document leaves room for members of later releases; this one must not have any that it does not name. */
function closed(schema: unknown, under = ''): unknown {
  if (Array.isArray(schema)) return schema.map((one) => closed(one, under));
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy: Record<string, unknown> = Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, closed(value, name)]),
  );
  const open = under === 'Problem' || under === 'allOf' || under === 'properties';
  if (copy.type === 'object' && 'properties' in copy && !open) copy.additionalProperties ??= false;
  return copy;
}
