import type { z } from 'zod';
import { httpErrors } from './http-errors.ts';

/** Parses one part of a request; the first issue is told with the field it concerns. */
export function parsePart(schema: z.ZodType | undefined, value: unknown, part: 'path' | 'query' | 'body'): unknown {
  if (!schema) return part === 'body' ? undefined : {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  if (part === 'path') throw httpErrors('not_found');
  const issue = result.error.issues[0]!;
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const field = [...issue.path, ...(unknown === undefined ? [] : [unknown])].join('.');
  const problem = unknown === undefined ? `${field === '' ? 'The request' : `"${field}"`}: ${issue.message}.` : `"${field}" is not a field of this request.`;
  throw httpErrors('request.invalid', { params: { problem }, ...(field === '' ? {} : { field }) });
}
