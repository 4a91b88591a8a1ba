import type { ServiceQuirks } from './service.ts';
import { parseJsonObject, type UpstreamAnswer } from './upstream-http.ts';
import { readJsonPointer } from './json-pointer.ts';

/** Longer than any lifetime seen; beyond it the number is a mistake (milliseconds, a date) and says nothing. */
const LIFETIME_SECONDS_MAX = 10 * 365 * 86_400;
/** A token as a header value can carry it. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/;

/** The answer of a token endpoint in the form of RFC 6749 §5, whatever form it came in. */
export type TokenAnswer =
  | { readonly kind: 'tokens'; readonly body: TokenBody; readonly document: Readonly<Record<string, unknown>> }
  | { readonly kind: 'error'; readonly error: string }
  | { readonly kind: 'junk'; readonly problem: string };

export interface TokenBody {
  readonly access_token: string;
  readonly token_type: string;
  readonly expires_in?: number;
  readonly refresh_token?: string;
  readonly scope?: string;
  readonly id_token?: string;
}

function parseForm(text: string): Readonly<Record<string, unknown>> | undefined {
  const entries = [...new URLSearchParams(text)];
  return entries.some(([name]) => name === 'access_token' || name === 'error') ? Object.fromEntries(entries) : undefined;
}

/** JSON whatever the label says; a form only under a form's label (or none), so that an HTML page is never taken for one. */
function parseDocument(answer: UpstreamAnswer): Readonly<Record<string, unknown>> | undefined {
  const json = parseJsonObject(answer.text);
  if (json !== undefined) return json;
  return ['', 'application/x-www-form-urlencoded', 'text/plain'].includes(answer.mediaType) ? parseForm(answer.text) : undefined;
}

/** An error code fit for a log line and a page (RFC 6749 §5.2 allows more than we want to repeat). */
export function plainErrorCode(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z0-9_.:-]{1,64}$/.test(value) ? value : undefined;
}

function errorOf(document: Readonly<Record<string, unknown>>): string | undefined {
  const { error } = document;
  if (typeof error === 'string') return plainErrorCode(error) ?? 'unknown_error';
  if (typeof error === 'object' && error !== null) {
    // {"error":{"code":…,"type":…}}, as some services have it.
    const { code, type, status } = error as { code?: unknown; type?: unknown; status?: unknown };
    return plainErrorCode(code) ?? plainErrorCode(type) ?? plainErrorCode(status) ?? 'unknown_error';
  }
  return undefined;
}

/** Whole seconds, or undefined where the value is absent, zero, negative, absurd or no number: then refresh follows a 401. */
export function plainLifetimeSeconds(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^[0-9]{1,12}(?:\.[0-9]+)?$/.test(value.trim()) ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return undefined;
  const whole = Math.floor(seconds);
  return whole > 0 && whole <= LIFETIME_SECONDS_MAX ? whole : undefined;
}

function plainScope(value: unknown): string | undefined {
  const text = Array.isArray(value) && value.every((part) => typeof part === 'string') ? value.join(' ') : value;
  return typeof text === 'string' && text.length <= 16_384 ? text : undefined;
}

/** `bearer` for what means bearer here; anything else stays and is refused later (RFC 6749 §7.1). */
function plainTokenType(value: unknown, quirks: ServiceQuirks): string {
  if (value === undefined || value === null || value === '') return 'bearer';
  const type = typeof value === 'string' ? value.toLowerCase() : 'unknown';
  return quirks.bearerTokenTypes?.includes(type) ? 'bearer' : type;
}

/**
 * Reads an answer of a token endpoint: JSON under any label, a form where a form is declared, errors with status 200, the token
 * in a nested object, lifetimes as text, `null` for absent. What cannot be understood is `junk`, with the reason.
 */
export function readTokenAnswer(answer: UpstreamAnswer, quirks: ServiceQuirks): TokenAnswer {
  const document = parseDocument(answer);
  if (document === undefined) return { kind: 'junk', problem: `neither JSON nor a form (status ${answer.status})` };
  const error = errorOf(document) ?? (document['ok'] === false ? 'unknown_error' : undefined);
  if (error !== undefined) return { kind: 'error', error };
  if (answer.status < 200 || answer.status > 299) return { kind: 'junk', problem: `status ${answer.status} without an error code` };

  const nested = quirks.tokenPointer === undefined ? undefined : readJsonPointer(document, quirks.tokenPointer);
  const holder = typeof nested === 'object' && nested !== null && 'access_token' in nested ? (nested as Record<string, unknown>) : document;
  const accessToken = holder['access_token'];
  if (typeof accessToken !== 'string' || !TOKEN.test(accessToken)) return { kind: 'junk', problem: 'no usable access_token' };
  const tokenType = plainTokenType(holder['token_type'], quirks);
  if (tokenType !== 'bearer') return { kind: 'junk', problem: 'a token_type other than Bearer' };

  const expiresIn = plainLifetimeSeconds(holder['expires_in']);
  const refreshToken = holder['refresh_token'];
  const scope = plainScope(holder['scope']);
  const idToken = document['id_token'];
  const body: TokenBody = {
    access_token: accessToken,
    token_type: tokenType,
    ...(expiresIn === undefined ? {} : { expires_in: expiresIn }),
    ...(typeof refreshToken === 'string' && TOKEN.test(refreshToken) ? { refresh_token: refreshToken } : {}),
    ...(scope === undefined ? {} : { scope }),
    ...(typeof idToken === 'string' && idToken !== '' ? { id_token: idToken } : {}),
  };
  return { kind: 'tokens', body, document };
}
