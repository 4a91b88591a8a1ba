import { pathErrors } from './path-errors.ts';

const PREFIX_LENGTH_MAX = 2048;
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/;

/**
 * Refuses a path that two parsers could read as two different places. `path` is what follows the base URL, raw (still
 * percent-encoded), beginning with a slash, without query. Throws `path.not_plain` where a segment, as it stands or decoded
 * once or twice, is or contains a dot segment, a backslash, a control character or an overlong UTF-8 form.
 */
export function assertPlainPath(path: string): void {
  const problem = pathProblem(path);
  if (problem !== null) throw pathErrors('path.not_plain', { params: { problem } });
}

/**
 * The prefix in its normal form: leading slash, none at the end (`/` alone means everything), percent-encoding as RFC 3986
 * §6.2.2 has it. Throws `path.not_plain` for what `assertPlainPath` refuses, for empty segments and for broken escapes.
 */
export function parsePathPrefix(text: string): string {
  const problem = prefixProblem(text);
  if (problem !== null) throw pathErrors('path.not_plain', { params: { problem }, field: 'path_prefix' });
  return `/${segmentsOf(text).join('/')}`;
}

/** Why `parsePathPrefix` would refuse the text, or null. */
export function prefixProblem(text: string): string | null {
  if (text.length > PREFIX_LENGTH_MAX) return `it is longer than ${PREFIX_LENGTH_MAX} characters`;
  const problem = pathProblem(text);
  if (problem !== null) return problem;
  if (BROKEN_ESCAPE.test(text)) return 'a percent sign is not followed by two hexadecimal digits';
  return text.includes('//') ? 'it has an empty segment' : null;
}

/**
 * Whether the path lies at or below the prefix, compared segment by segment: `/files` holds `/files` and `/files/a`, not
 * `/files-old`. An encoded slash stays inside its segment. A path that is not plain lies nowhere.
 */
export function pathWithin(prefix: string, path: string): boolean {
  if (prefixProblem(prefix) !== null || pathProblem(path) !== null || BROKEN_ESCAPE.test(path)) return false;
  const outer = segmentsOf(prefix);
  const inner = path.slice(1).split('/').map(normalSegment);
  return outer.length <= inner.length && outer.every((segment, at) => segment === inner[at]);
}

function pathProblem(path: string): string | null {
  if (!path.startsWith('/')) return 'it does not begin with a slash';
  if (/[^\x21-\x7e]/.test(path)) return 'it holds characters that must be percent-encoded';
  if (/[?#]/.test(path)) return 'it holds a query or a fragment';
  for (const segment of path.slice(1).split('/')) {
    const once = decode(segment);
    for (const text of [segment, once, decode(once)]) {
      const problem = segmentProblem(text);
      if (problem !== null) return problem;
    }
  }
  return null;
}

function segmentProblem(text: string): string | null {
  if (text.includes('\\')) return 'it holds a backslash';
  if (/[\x00-\x1f\x7f]/.test(text)) return 'it holds a control character';
  // Overlong UTF-8: lenient decoders read %C0%AE as a dot and %C1%9C as a backslash.
  if (/[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]/.test(text)) return 'it holds an overlong UTF-8 form';
  return text.split('/').some(isDotSegment) ? 'it holds a dot segment' : null;
}

/** `..;x` is a dot segment to servlet containers, `.. ` to Windows. */
function isDotSegment(piece: string): boolean {
  const name = piece.split(';')[0]!.trimEnd();
  return name === '.' || name === '..';
}

/** Percent-decoding into bytes, one character each; what is no escape stays as it is. */
function decode(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function segmentsOf(prefix: string): string[] {
  const inner = prefix.replace(/^\//, '').replace(/\/$/, '');
  return inner === '' ? [] : inner.split('/').map(normalSegment);
}

/** Escapes of unreserved characters undone, hexadecimal digits in capitals: forms that RFC 3986 §6.2.2 calls equivalent. */
function normalSegment(segment: string): string {
  return segment.replaceAll(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const character = decode(escape);
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
  });
}
