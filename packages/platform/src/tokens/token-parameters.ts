import { httpErrors } from '@bulkhead/http';
import type { z } from 'zod';
import { tokenErrors } from './token-errors.ts';

export type TokenParameters = Readonly<Record<string, unknown>>;

/**
 * Query and body as one set of parameters (one old client puts all of them into the query). RFC 6749 §3.2: none more than once, and
 * one without a value counts as absent.
 */
export function mergeParameters(query: Readonly<Record<string, unknown>>, body: Readonly<Record<string, unknown>>): TokenParameters {
  const merged: Record<string, unknown> = Object.create(null);
  for (const [name, value] of [...Object.entries(query), ...Object.entries(body)]) {
    if (value === '' || value === null || value === undefined) continue;
    const repeated = name in merged || (Array.isArray(value) && value.some((entry) => typeof entry === 'string'));
    if (repeated) throw tokenErrors('parameter.repeated', { params: { name: name.slice(0, 64) }, field: name });
    merged[name] = value;
  }
  return merged;
}

/** The parameters of one grant. What is missing or misshapen is told by name, as `invalid_request`. */
export function parseParameters<Schema extends z.ZodType>(schema: Schema, parameters: TokenParameters): z.output<Schema> {
  const result = schema.safeParse({ ...parameters });
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.join('.');
  const problem = field in parameters ? issue.message : 'it is missing';
  throw httpErrors('request.invalid', { params: { problem: `"${field}": ${problem}.` }, field });
}
