import { forwardableRequestHeaders, plainName, type RawHeaders } from '@bulkhead/http';
import { passthroughErrors } from './passthrough-errors.ts';

/** Would make an upstream do another call than the one that was checked. */
const STEERING = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
  'x-original-method',
]);

/** Spoken to us, or of the caller's browser. */
const OURS = /^(?:x-kloudless-|x-bulkhead-|sec-)/;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const RAW_HEADERS_MAX = 100;

export interface HeaderRules {
  /** The credential, put in last. Any header of these names that the caller sent is dropped. */
  readonly credential: Readonly<Record<string, string>>;
  /** Names that are never the caller's to set, lower case: where the service reads its key. */
  readonly reserved: readonly string[];
  /** The caller's token has limits, which no header may talk its way around. */
  readonly isLimited: boolean;
}

/** What goes to the upstream: the caller's end-to-end headers as they came, none of ours, and the credential. */
export function upstreamHeaders(headers: RawHeaders, { credential, reserved, isLimited }: HeaderRules): string[] {
  const ours = new Set([...Object.keys(credential), ...reserved].map(plainName));
  const kept: string[] = [];
  const passed = forwardableRequestHeaders(headers);
  for (let at = 0; at + 1 < passed.length; at += 2) {
    const name = plainName(passed[at]!);
    // A proof (RFC 9449) was made for us, by the caller's key.
    if (name === 'dpop' || ours.has(name) || OURS.test(name)) continue;
    if (isLimited && STEERING.has(name)) continue;
    kept.push(passed[at]!, passed[at + 1]!);
  }
  for (const [name, value] of Object.entries(credential)) kept.push(name, value);
  return kept;
}

/** Reads `X-Kloudless-Raw-Headers`: a JSON object of names and texts. */
export function parseRawHeaders(text: string | undefined): string[] {
  if (text === undefined || text.trim() === '') return [];
  const refuse = (problem: string) =>
    passthroughErrors('passthrough.header_malformed', { params: { header: 'X-Kloudless-Raw-Headers', problem } });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refuse('is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw refuse('is not a JSON object');
  const entries = Object.entries(parsed);
  if (entries.length > RAW_HEADERS_MAX) throw refuse(`has more than ${RAW_HEADERS_MAX} entries`);
  return entries.flatMap(([name, value]) => {
    const content = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
    if (!TOKEN.test(name) || typeof content !== 'string' || !VALUE.test(content)) throw refuse('holds something that is no header');
    // The length is that of the body we pass on, never what somebody says.
    return /^(?:content-length|transfer-encoding|connection)$/i.test(name) ? [] : [name, content];
  });
}

/** Replaces headers of the same name; the rest stays as it came. */
export function withHeaders(headers: RawHeaders, replacing: RawHeaders): string[] {
  const names = new Set(replacing.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()));
  const kept = headers.filter((_, at) => !names.has(headers[at - (at % 2)]!.toLowerCase()));
  return [...kept, ...replacing];
}

export function headerValue(headers: RawHeaders, name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    const each = headers[at]!;
    if (each.length === name.length && each.toLowerCase() === name) return headers[at + 1];
  }
  return undefined;
}
