import type { Type } from '@nestjs/common';
import { getMetadataStorage } from 'class-validator';

import type { MetadataStorage } from 'class-validator';
import { LONGEST_NAME } from '../add-token/add-token.dto.js';
import type { Schema } from './schema.js';

type ValidationMetadata = ReturnType<MetadataStorage['getTargetValidationMetadatas']>[number];

/**
 * The JSON Schema of a class that class-validator checks: the validators are its only source, so that
 * the document can't promise what the pipe refuses. A member that may be left out may be null too, as
 * `IsOptional` has it.
 *
 * @throws Error for a validator that it has no words for: silence would be a looser document
 */
export function schemaOf(type: Type, { nulls = true } = {}): Schema {
  const found = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
  const members = new Map<string, ValidationMetadata[]>();
  for (const validator of found) {
    members.set(validator.propertyName, [
      ...(members.get(validator.propertyName) ?? []),
      validator,
    ]);
  }
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const [name, validators] of members) {
    // Said by a decorator of its own, not by its class.
    if (validators.every(({ type: kind }) => kind === 'whitelistValidation')) continue;
    const optional = validators.some(({ type: kind }) => kind === 'conditionalValidation');
    if (!optional) required.push(name);
    const schema = memberSchema(type, name, validators);
    properties[name] = optional && nulls ? orNull(schema) : schema;
  }
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required: required.sort() }),
    properties,
    additionalProperties: false,
  };
}

function memberSchema(type: Type, name: string, validators: readonly ValidationMetadata[]): Schema {
  const list = validators.some(({ each, name: validator }) => each || validator === 'isArray');
  const own: Schema = {};
  const items: Schema = {};
  for (const validator of validators) {
    if (validator.type === 'conditionalValidation') continue;
    const words = WORDS[validator.name ?? validator.type];
    if (words === undefined) {
      throw new Error(
        `${type.name}.${name} has a validator without words: ${validator.name ?? '?'}`,
      );
    }
    const constraints = (validator.constraints as readonly unknown[] | undefined) ?? [];
    Object.assign(validator.each ? items : own, words(constraints, reflected(type, name)));
  }
  return list ? { type: 'array', items, ...own } : own;
}

const reflected = (type: Type, name: string): unknown =>
  Reflect.getMetadata('design:type', type.prototype as object, name);

/** In every dialect of patterns: what `http/plain-text.ts` refuses is spelt out here. */
const SHOWN =
  '[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028-\\u202f\\u205f\\u2066-\\u2069\\u3000\\ufeff]';
const WITHIN = '[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]';
const PLAIN = `^${SHOWN}(${WITHIN}*${SHOWN})?$`;

/** What each validator that our bodies have means in JSON Schema. */
const WORDS: Readonly<
  Record<string, (constraints: readonly unknown[], type: unknown) => Schema | undefined>
> = {
  isPlainText: ([max]) => ({
    type: 'string',
    minLength: 1,
    maxLength: max as number,
    // No controls, no line breaks, nothing that turns the direction; no white space around it.
    pattern: PLAIN,
  }),
  isPartOfName: () => ({ type: 'string', minLength: 1, maxLength: LONGEST_NAME }),
  isInstant: () => ({ type: 'string', format: 'date-time' }),
  isIn: ([values]) => ({ enum: [...(values as readonly string[])] }),
  matches: ([pattern]) => ({ type: 'string', pattern: (pattern as RegExp).source }),
  isString: () => ({ type: 'string' }),
  isBoolean: () => ({ type: 'boolean' }),
  isInt: () => ({ type: 'integer' }),
  min: ([least]) => ({ minimum: least as number }),
  max: ([most]) => ({ maximum: most as number }),
  minLength: ([least]) => ({ minLength: least as number }),
  maxLength: ([most]) => ({ maxLength: most as number }),
  isLength: ([least, most]) => ({ minLength: least as number, maxLength: most as number }),
  isArray: () => ({}),
  arrayNotEmpty: () => ({ minItems: 1 }),
  arrayMinSize: ([least]) => ({ minItems: least as number }),
  arrayMaxSize: ([most]) => ({ maxItems: most as number }),
  arrayUnique: () => ({ uniqueItems: true }),
  isObject: () => ({ type: 'object' }),
  nestedValidation: (_, type) => schemaOf(type as Type),
};

function orNull(schema: Schema): Schema {
  if (Array.isArray(schema.enum)) return { ...schema, enum: [...(schema.enum as unknown[]), null] };
  return typeof schema.type === 'string' ? { ...schema, type: [schema.type, 'null'] } : schema;
}
