import { z } from 'zod';
import { parsePathPrefix, pathWithin, prefixProblem } from './path-prefix.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const pathPrefix = z.string().transform((text, check) => {
  const problem = prefixProblem(text);
  if (problem === null) return parsePathPrefix(text);
  check.issues.push({ code: 'custom', message: problem, input: text });
  return z.NEVER;
});

/** An origin as a browser writes it into its `Origin` header (RFC 6454 §6.2). */
const origin = z.string().max(512).refine(isOrigin, 'expected an origin such as https://app.example, without a path');

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') && url.origin === text;
}

/**
 * RFC 9396 authorization details of type `passthrough`: which requests a token may send to the upstream service. What is
 * absent is unlimited; several details allow what any one of them allows.
 */
export const passthroughDetail = z.strictObject({
  type: z.literal('passthrough'),
  methods: z.array(z.enum(METHODS)).min(1).max(METHODS.length).optional().meta({ description: 'HTTP methods; absent = all.' }),
  path_prefix: pathPrefix.optional().meta({ description: 'Relative to the base URL of the service, compared segment by segment.' }),
  origins: z
    .array(origin)
    .min(1)
    .max(20)
    .optional()
    .meta({ description: 'Browser origins the request must come from; absent = any, or none.' }),
});
export type PassthroughDetail = z.output<typeof passthroughDetail>;

/** At least one: an empty list would say "nothing" to one reader and "everything" to another. */
export const passthroughDetails = z.array(passthroughDetail).min(1).max(10);

/** A detail as it is kept: what has passed the schema. */
export interface PassthroughLimits {
  readonly methods?: readonly string[] | undefined;
  readonly path_prefix?: string | undefined;
  readonly origins?: readonly string[] | undefined;
}

/** A request to an upstream service, as far as a token can limit it. */
export interface PassthroughRequest {
  readonly method: string;
  /** Raw path after the base URL, with leading slash, without query. */
  readonly path: string;
  /** The `Origin` header, null where there is none. */
  readonly origin: string | null;
}

/** Whether the details (null: no limits) let the request pass. */
export function allowsPassthrough(details: readonly PassthroughLimits[] | null, request: PassthroughRequest): boolean {
  return details === null || details.some((detail) => allows(detail, request));
}

function allows(detail: PassthroughLimits, request: PassthroughRequest): boolean {
  if (detail.methods !== undefined && !detail.methods.includes(request.method)) return false;
  if (detail.path_prefix !== undefined && !pathWithin(detail.path_prefix, request.path)) return false;
  return detail.origins === undefined || (request.origin !== null && detail.origins.includes(request.origin));
}

/** Whether every child detail lies, on every axis, within one parent detail (null: no limits). When in doubt, no. */
export function passthroughWithin(children: readonly PassthroughLimits[] | null, parents: readonly PassthroughLimits[] | null): boolean {
  if (parents === null) return true;
  return children !== null && children.every((child) => parents.some((parent) => detailWithin(child, parent)));
}

function detailWithin(child: PassthroughLimits, parent: PassthroughLimits): boolean {
  const { path_prefix: outer } = parent;
  const { path_prefix: inner } = child;
  return (
    listWithin(child.methods, parent.methods) &&
    listWithin(child.origins, parent.origins) &&
    (outer === undefined || (inner !== undefined && pathWithin(outer, inner)))
  );
}

function listWithin(child: readonly string[] | undefined, parent: readonly string[] | undefined): boolean {
  return parent === undefined || (child !== undefined && child.every((entry) => parent.includes(entry)));
}
