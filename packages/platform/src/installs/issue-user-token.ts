import type { ApplicationId } from '@bulkhead/base';
import type { IncomingCall } from '@bulkhead/http';
import type { Database, TenantTx } from '@bulkhead/postgres';
import {
  APP_SCOPES,
  type AppScope,
  appScope,
  effectiveScopes,
  jwtDigest,
  readConnectJwt,
  readUserAssertion,
  sharedSecretKey,
  USER_ASSERTION_SECONDS,
  type UserAssertion,
  type UserTokenResponse,
  verifyConnectJwt,
} from '@bulkhead/protocol';
import { actorOf, type InstallPrincipal, type RequestContext } from '../access/index.ts';
import { appendAudit } from '../audit/index.ts';
import type { Vault } from '../vault/index.ts';
import type { AppInstall } from './app.ts';
import { installErrors } from './install-errors.ts';
import { openInstall } from './install-store.ts';
import { tenantBaseUrl } from './lifecycle-call.ts';
import { insertUserToken, USER_TOKEN_SECONDS, USER_TOKENS_MAX, userTokens } from './user-token-store.ts';

export interface UserTokenParts {
  readonly db: Database;
  readonly vault: Vault;
  readonly publicUrl: () => string;
  /** Whether somebody is an end user of the Application. */
  readonly isUser: (tx: TenantTx, applicationId: ApplicationId, userId: string) => Promise<boolean>;
  /** Counts the request against the quota of whoever has proved to make it. Throws `rate.exceeded`. */
  readonly takeRate: (principal: InstallPrincipal, call: IncomingCall) => void;
}

/** Who asks, proved. */
interface Asking {
  readonly install: AppInstall;
  readonly user: UserAssertion;
  readonly assertionHash: Buffer;
}

/**
 * RFC 7523 §2.1: the assertion of an App, signed with the shared secret of its install, becomes a token by which it acts for one user of
 * the Application, within the scopes it was granted. Each assertion counts once. Throws `impersonation.*`, `rate.exceeded`.
 */
export async function issueUserToken(
  parts: UserTokenParts,
  context: RequestContext<null>,
  { applicationId, assertion, scope }: { applicationId: ApplicationId; assertion: string; scope: string | undefined },
): Promise<UserTokenResponse> {
  const { now } = context;
  const asking = await verifyAssertion(parts, { applicationId, assertion, now });
  if (asking === null) throw installErrors('impersonation.assertion_invalid');
  const { install, user, assertionHash } = asking;
  const { clientKey, appKey, generation } = install;
  const principal: InstallPrincipal = { kind: 'install', applicationId, clientKey, appKey, scopes: install.scopes, userId: user.accountId };
  parts.takeRate(principal, context.call);
  if (install.status !== 'enabled') throw installErrors('impersonation.disabled');
  if (!effectiveScopes(install.scopes).has('ACT_AS_USER')) throw installErrors('impersonation.not_granted');
  const scopes = scopesOf(install, scope);
  const token = userTokens.issue(applicationId);
  const expiresAt = new Date(now.getTime() + USER_TOKEN_SECONDS * 1_000);
  await parts.db.withTenant(applicationId, async (tx) => {
    if (!(await parts.isUser(tx, applicationId, user.accountId))) throw installErrors('impersonation.user_unknown');
    const fields = {
      applicationId,
      clientKey,
      generation,
      tokenHash: token.hash,
      userId: user.accountId,
      scopes,
      assertionHash,
      now,
      expiresAt,
    };
    const outcome = await insertUserToken(tx, fields);
    if (outcome === 'full') throw installErrors('impersonation.limit', { params: { limit: USER_TOKENS_MAX }, retryAfterSeconds: 60 });
    if (outcome === 'spent') throw installErrors('impersonation.assertion_invalid', { detail: 'used before' });
    await appendAudit(tx, {
      applicationId,
      actor: actorOf(principal),
      action: context.auditAction ?? 'user_token.issued',
      at: now,
      requestId: context.requestId,
      target: appKey,
      detail: { scopes, token: token.hash.toString('hex', 0, 8) },
    });
    context.markAudited();
  });
  return { access_token: token.secret.reveal(), token_type: 'Bearer', expires_in: USER_TOKEN_SECONDS, scope: scopes.join(' ') };
}

/** The address and the `iss` say which secret to try; only that secret proves them. Null for every failure, so that all look alike. */
async function verifyAssertion(
  { db, vault, publicUrl }: UserTokenParts,
  { applicationId, assertion, now }: { applicationId: ApplicationId; assertion: string; now: Date },
): Promise<Asking | null> {
  const read = readConnectJwt(assertion);
  if ('refused' in read) return null;
  const user = readUserAssertion(read.claims);
  const base = tenantBaseUrl(publicUrl(), applicationId);
  if (user === null || user.tenant !== base) return null;
  // The client id is the clientKey: `installed` says so.
  const clientKey = user.oauthClientId;
  const opened = await db.withTenant(applicationId, (tx) => openInstall(tx, vault, { applicationId, clientKey, now }));
  if (opened === null) return null;
  for (const secret of opened.secrets) {
    const verified = verifyConnectJwt(read, {
      algorithm: 'HS256',
      key: sharedSecretKey(secret),
      now: Math.floor(now.getTime() / 1_000),
      lifetimeSecondsMax: USER_ASSERTION_SECONDS,
      // RFC 7523 §3: the authorization server, by its own name or that of its token endpoint.
      audience: { is: [base, `${base}/oauth2/token`] },
    });
    if (!('refused' in verified)) return { install: opened.install, user, assertionHash: Buffer.from(jwtDigest(read), 'hex') };
  }
  return null;
}

/** Those that are asked for, if the App holds each of them; else all it was granted, but for the right to act for users itself. */
function scopesOf({ scopes: granted }: AppInstall, asked: string | undefined): AppScope[] {
  const words = (asked ?? '').split(' ').filter((word) => word !== '');
  if (words.length === 0) return granted.filter((scope) => scope !== 'ACT_AS_USER');
  const held = effectiveScopes(granted);
  const found = new Set<AppScope>();
  for (const word of words) {
    const scope = appScope.safeParse(word).data;
    if (scope === undefined || !held.has(scope))
      throw installErrors('impersonation.scope_exceeded', {
        params: { held: APP_SCOPES.filter((each) => held.has(each)).join(', ') },
        field: 'scope',
      });
    found.add(scope);
  }
  return [...found];
}
