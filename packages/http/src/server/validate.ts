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
  const problem =
    unknown === undefined
      ? `${field === '' ? 'The request' : `"${field}"`} ${complaint(issue)}.`
      : `"${field}" is not a field of this request.`;
  throw httpErrors('request.invalid', { params: { problem }, ...(field === '' ? {} : { field }) });
}

/** What is wrong, for a person: the validator's own words are for programmers. */
function complaint(issue: z.core.$ZodIssue): string {
  if (issue.message.startsWith('Invalid')) {
    if (issue.code === 'invalid_type')
      return issue.message.endsWith('received undefined') ? 'is missing' : `must be ${article(issue.expected)}`;
    if (issue.code === 'invalid_value') return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    if (issue.code === 'invalid_union' && 'discriminator' in issue && typeof issue.discriminator === 'string')
      return 'has an unknown value';
    if (issue.code === 'invalid_union') return 'has none of the allowed forms';
  }
  return `is refused: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
}

function article(type: string): string {
  const words: Readonly<Record<string, string>> = {
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'a list',
    object: 'an object',
    record: 'an object',
  };
  return words[type] ?? `of type ${type}`;
}
