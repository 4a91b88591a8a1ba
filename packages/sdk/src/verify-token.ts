import { type TokenInfo, tokenInfo } from '@bulkhead/protocol';
import { tokenRefusals } from './token-refusals.ts';

export interface VerifyTokenOptions {
  /** Where Bulkhead is, e.g. `https://connect.example.com`. */
  readonly baseUrl: string;
  /** Your Application: a token issued to another one is refused, however valid. */
  readonly applicationId: string;
  /** The account you expect, where you expect one. */
  readonly accountId?: number;
  /** The end user you expect, where the flow named one. */
  readonly endUser?: string;
  /** What the token must include, in full as tokens state it: `gdrive:normal.storage.default:kloudless`. */
  readonly scope?: string;
  /** The token your front end handed you. */
  readonly token: string;
  /** `globalThis.fetch`, or yours. */
  readonly fetch: (url: string, init: { headers: Record<string, string>; redirect: 'error'; signal: AbortSignal }) => Promise<Response>;
  /** Milliseconds since the epoch; default: the system clock. */
  readonly now?: () => number;
}

export interface VerifiedToken {
  readonly applicationId: string;
  readonly accountId: number;
  readonly scope: string;
  readonly endUser: string | null;
  /** Null for a token that does not expire. */
  readonly expiresAt: Date | null;
}

const TIMEOUT_MS = 10_000;

/**
 * Asks Bulkhead whose token this is and accepts it only if it is yours: without this, a token that any other Application's
 * page obtained would open your users' sessions (token substitution). Throws a `PlatformError` whose `code` is a `TokenRefusal`.
 */
export async function verifyToken(options: VerifyTokenOptions): Promise<VerifiedToken> {
  const info = await askFor(options);
  const now = options.now?.() ?? Date.now();
  const expiresAt = info.expires === null ? null : new Date(info.expires);
  if (expiresAt !== null && !(expiresAt.getTime() > now)) throw tokenRefusals('token.refused', { detail: 'expired' });
  if (info.expires_in !== undefined && info.expires_in <= 0) throw tokenRefusals('token.refused', { detail: 'expired' });
  if (info.client_id !== options.applicationId) throw tokenRefusals('token.of_another_application');
  if (options.accountId !== undefined && info.account_id !== options.accountId) throw tokenRefusals('token.of_another_account');
  if (options.endUser !== undefined && info.end_user !== options.endUser) throw tokenRefusals('token.of_another_end_user');
  const held = new Set(scopeTokens(info.scope));
  const missing = scopeTokens(options.scope ?? '').find((token) => !held.has(token));
  if (missing !== undefined) throw tokenRefusals('token.scope_missing', { params: { scope: missing } });
  return { applicationId: info.client_id, accountId: info.account_id, scope: info.scope, endUser: info.end_user ?? null, expiresAt };
}

async function askFor({ baseUrl, token, fetch }: VerifyTokenOptions): Promise<TokenInfo> {
  // Anything else could not be a token, and must not get into a header.
  if (!/^[\x21-\x7e]{1,4096}$/.test(token)) throw tokenRefusals('token.refused', { detail: 'not the form of a token' });
  let answer: Response;
  let body: unknown;
  try {
    const url = `${baseUrl.replace(/\/+$/, '')}/v1/oauth/token`;
    answer = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    body = await answer.json();
  } catch (cause) {
    throw tokenRefusals('token.unverified', { params: { problem: 'no answer that could be read' }, cause });
  }
  if (answer.status === 400 || answer.status === 401) throw tokenRefusals('token.refused');
  const info = tokenInfo.safeParse(body);
  if (answer.status !== 200 || !info.success)
    throw tokenRefusals('token.unverified', { params: { problem: `an answer of status ${answer.status} that does not fit` } });
  return info.data;
}

/** Tokens of a scope; one in quotes may hold spaces. */
function scopeTokens(scope: string): string[] {
  return scope.match(/(?:[^ "]|"[^"]*")+/g) ?? [];
}
