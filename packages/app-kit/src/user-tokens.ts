import { randomUUID } from 'node:crypto';
import { JWT_BEARER, sharedSecretKey, signConnectJwt, userAssertionClaims } from '@bulkhead/protocol';
import type { KitSettings } from './kit-settings.ts';
import { readBounded } from './outbound.ts';
import { appRefusals } from './refusals.ts';
import { liveSecrets, type TenantRecord } from './tenant-record.ts';

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 65_536;
/** A token that ends sooner is not begun with. */
const SPARE_MS = 30_000;
const KEPT_MS_MAX = 3_600_000;
const KEPT_MAX = 1_000;

export interface HostUser {
  readonly accountId: string;
  /** As the host names them (`READ`); none: all the App has. */
  readonly scopes: readonly string[];
}

interface UserToken {
  readonly accessToken: string;
  readonly lifetimeMs: number;
}

interface KeptToken {
  readonly until: number;
  readonly token: Promise<UserToken>;
}

/**
 * Access tokens for users of a host (RFC 7523 §2.1, as Connect writes it), kept in memory until shortly before they end: one call per tenant,
 * user and scopes, however many ask.
 */
export class UserTokens {
  readonly #kit: KitSettings;
  readonly #kept = new Map<string, KeptToken>();

  constructor(kit: KitSettings) {
    this.#kit = kit;
  }

  /** Throws `app_kit.impersonation_refused`. */
  async get(tenant: TenantRecord, user: HostUser): Promise<string> {
    const name = nameOf(tenant, user);
    const now = this.#kit.clock.now();
    const known = this.#kept.get(name);
    if (known !== undefined && known.until > now) return (await known.token).accessToken;
    const token = this.#ask(tenant, user);
    this.#keep(name, { until: now + TIMEOUT_MS, token });
    try {
      const { accessToken, lifetimeMs } = await token;
      if (this.#kept.get(name)?.token === token) this.#keep(name, { until: now + Math.min(lifetimeMs - SPARE_MS, KEPT_MS_MAX), token });
      return accessToken;
    } catch (failure) {
      if (this.#kept.get(name)?.token === token) this.#kept.delete(name);
      throw failure;
    }
  }

  forget(tenant: TenantRecord, user: HostUser): void {
    this.#kept.delete(nameOf(tenant, user));
  }

  async #ask(tenant: TenantRecord, { accountId, scopes }: HostUser): Promise<UserToken> {
    const server = this.#kit.issuers.find(({ name }) => name === tenant.issuer)?.authorizationServer ?? tenant.baseUrl;
    const [secret] = liveSecrets(tenant, this.#kit.clock.now());
    const { oauthClientId } = tenant.details;
    if (secret === undefined || oauthClientId === undefined)
      throw appRefusals('app_kit.impersonation_refused', { detail: 'no oauthClientId' });
    const assertion = signConnectJwt(
      { algorithm: 'HS256', key: sharedSecretKey(secret.sharedSecret) },
      userAssertionClaims(
        { oauthClientId, accountId, tenant: tenant.baseUrl },
        // A host takes an assertion once: two of one second are told apart by their id.
        { audience: server, now: Math.floor(this.#kit.clock.now() / 1000), id: randomUUID() },
      ),
    );
    const form = new URLSearchParams({ grant_type: JWT_BEARER, assertion });
    if (scopes.length > 0) form.set('scope', scopes.map((scope) => scope.toUpperCase()).join(' '));
    return readAnswer(await this.#post(`${server.replace(/\/+$/, '')}/oauth2/token`, form.toString()));
  }

  async #post(url: string, body: string): Promise<{ readonly status: number; readonly text: string | null }> {
    try {
      const answer = await this.#kit.fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return { status: answer.status, text: await readBounded(answer, ANSWER_BYTES_MAX) };
    } catch (cause) {
      throw appRefusals('app_kit.impersonation_refused', { detail: 'no answer', cause });
    }
  }

  #keep(name: string, kept: KeptToken): void {
    this.#kept.delete(name);
    this.#kept.set(name, kept);
    if (this.#kept.size <= KEPT_MAX) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }
}

/** By tenant first, and by its install: another secret is another client. */
function nameOf({ clientKey, lifecycleIat }: TenantRecord, { accountId, scopes }: HostUser): string {
  return JSON.stringify([clientKey, lifecycleIat, accountId, [...scopes].sort()]);
}

function readAnswer({ status, text }: { readonly status: number; readonly text: string | null }): {
  accessToken: string;
  lifetimeMs: number;
} {
  const answer = parsedJson(text ?? '');
  const accessToken = answer?.access_token;
  if (status !== 200 || typeof accessToken !== 'string' || !/^[\x21-\x7e]{1,8192}$/.test(accessToken))
    throw appRefusals('app_kit.impersonation_refused', { detail: `status ${status}` });
  const seconds = answer?.expires_in;
  return { accessToken, lifetimeMs: typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : 0 };
}

function parsedJson(text: string): { readonly access_token?: unknown; readonly expires_in?: unknown } | null {
  try {
    return JSON.parse(text) as { access_token?: unknown; expires_in?: unknown } | null;
  } catch {
    return null;
  }
}
