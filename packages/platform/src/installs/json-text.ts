import { isUtf8 } from 'node:buffer';
import { httpErrors } from '@bulkhead/http';

/** What is nested deeper cannot be written again by every program. */
const DEPTH_MAX = 100;

/** Whether lists and objects lie no deeper in each other than that. */
export function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isShallow(inner, depth - 1));
}

/** The JSON text of a body, as it came. `noun` is what it is to be the value of. Throws `request.invalid`. */
export function readJsonText(body: Buffer, noun: string): string {
  const json = body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw invalid(`The value of a ${noun} is JSON, and this is not.`);
  }
  if (!isUtf8(body) || !json.isWellFormed() || json.includes('\0')) throw invalid(`The value of a ${noun} is text in UTF-8.`);
  if (!isShallow(value, DEPTH_MAX)) throw invalid(`The value of a ${noun} is nested at most ${DEPTH_MAX} deep.`);
  return json;
}

/** What PostgreSQL can keep and a log can show. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(text);
}

export function invalid(problem: string): Error {
  return httpErrors('request.invalid', { params: { problem } });
}
