import { RequestMethod } from '@nestjs/common';
import type { Type } from '@nestjs/common';

/** One route as Nest serves it. */
export interface Route {
  /** `GET`, `POST`, … */
  readonly method: string;
  /** As OpenAPI writes it: `/v1/tokens/{tokenId}`. */
  readonly path: string;
  /** The class that the whole body is checked with. */
  readonly body: Type | undefined;
  /** The class that the whole query is checked with. */
  readonly query: Type | undefined;
}

/** Nest's numbers for where a handler's argument comes from. */
const QUERY = 4;
const BODY = 3;

/** The routes of controllers, read from what Nest's decorators noted on them. */
export function routesOf(controllers: readonly Type[]): readonly Route[] {
  return controllers.flatMap((controller) => {
    const prototype = controller.prototype as Readonly<Record<string, unknown>>;
    return Object.getOwnPropertyNames(prototype).flatMap((name) => {
      const handler = prototype[name];
      if (name === 'constructor' || typeof handler !== 'function') return [];
      const method = noted('method', handler) as RequestMethod | undefined;
      if (method === undefined) return [];
      const path = [noted('path', controller), noted('path', handler)]
        .flatMap((part) => (typeof part === 'string' ? part : '').split('/'))
        .filter((part) => part !== '')
        .map((part) => (part.startsWith(':') ? `{${part.slice(1)}}` : part))
        .join('/');
      const argument = argumentsOf(controller, name);
      return [
        {
          method: RequestMethod[method],
          path: `/${path}`,
          body: argument(BODY),
          query: argument(QUERY),
        },
      ];
    });
  });
}

function argumentsOf(controller: Type, handler: string): (from: number) => Type | undefined {
  const sources = (Reflect.getMetadata('__routeArguments__', controller, handler) ??
    {}) as Readonly<Record<string, { readonly index: number; readonly data?: unknown }>>;
  const types = (Reflect.getMetadata(
    'design:paramtypes',
    controller.prototype as object,
    handler,
  ) ?? []) as readonly Type[];
  return (from) => {
    const [, source] = Object.entries(sources).find(([key]) => key.startsWith(`${from}:`)) ?? [];
    // A named one (`@Body('x')`), and one without a class, are no object that a class describes.
    if (source === undefined || source.data !== undefined) return undefined;
    const type = types[source.index];
    return type === Object ? undefined : type;
  };
}

const noted = (what: string, on: object): unknown => Reflect.getMetadata(what, on);
