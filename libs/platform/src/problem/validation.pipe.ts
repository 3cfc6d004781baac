import { ValidationPipe } from '@nestjs/common';
import type { ArgumentMetadata, PipeTransform, ValidationPipeOptions } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { maskSecrets } from '../logging/mask-secrets.js';
import { platformProblem } from './problem.js';
import type { Problem, ProblemDetail } from './problem.js';

/** Enough to repair a request by; a body made to have thousands of faults gets no long answer. */
const MOST_ERRORS = 50;

/**
 * class-validator for bodies, queries and parameters: unknown members are refused, nothing is
 * converted that the DTO doesn't convert itself, all faults are named at once, values never.
 */
export const validationPipe = (): PipeTransform => new RequestValidationPipe();

class RequestValidationPipe implements PipeTransform {
  private readonly body = new ValidationPipe(optionsWith(bodyProblem));
  private readonly parameters = new ValidationPipe(optionsWith(parameterProblem));

  transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    return (metadata.type === 'body' ? this.body : this.parameters).transform(value, metadata);
  }
}

const optionsWith = (
  exceptionFactory: (errors: ValidationError[]) => Problem,
): ValidationPipeOptions => ({
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  transform: true,
  transformOptions: { enableImplicitConversion: false },
  stopAtFirstError: false,
  validationError: { target: false, value: false },
  exceptionFactory,
});

const bodyProblem = (errors: ValidationError[]): Problem =>
  platformProblem('invalid-request', {
    detail: 'The body is not as it must be.',
    errors: faultsIn(errors, [])
      .slice(0, MOST_ERRORS)
      .map(({ path, detail }) => ({ pointer: jsonPointer(path), detail })),
  });

const parameterProblem = (errors: ValidationError[]): Problem =>
  platformProblem('invalid-request', {
    detail: 'A parameter is not as it must be.',
    errors: faultsIn(errors, [])
      .slice(0, MOST_ERRORS)
      .map(({ path, detail }): ProblemDetail => ({ parameter: shown(path.join('.')), detail })),
  });

interface Fault {
  readonly path: readonly string[];
  readonly detail: string;
}

function faultsIn(errors: readonly ValidationError[], above: readonly string[]): Fault[] {
  return errors.flatMap((error) => {
    const path = [...above, error.property];
    const own = Object.values(error.constraints ?? {}).map((message) => ({
      path,
      detail: shown(message),
    }));
    return [...own, ...faultsIn(error.children ?? [], path)];
  });
}

/** RFC 6901. */
const jsonPointer = (path: readonly string[]): string =>
  path.map((key) => `/${shown(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** The name of an unknown member is the caller's text, which may be long or a secret in the wrong place. */
const shown = (text: string): string => maskSecrets(text).slice(0, 200);
