import { type Database, isForeignKeyViolation } from '@bulkhead/postgres';
import {
  ACCESS_TOKEN_TYPE,
  API_KEY_TYPE,
  type PassthroughLimits,
  passthroughWithin,
  TOKEN_EXCHANGE,
  type TokenExchangeRequest,
  tokenExchangeRequest,
  type TokenResponse,
} from '@bulkhead/protocol';
import { recallAccount } from '../../accounts/index.ts';
import { authenticateOwnApiKey } from '../../applications/index.ts';
import { auditedFlight } from '../../audit/index.ts';
import { singleStatements } from '../../vault/index.ts';
import { newAccessToken, recallLiveAccessToken, type TokenParent } from '../access-token-store.ts';
import { narrowScope } from '../narrow-scope.ts';
import { readAuthorizationDetails } from '../read-authorization-details.ts';
import {
  ACCESS_TOKEN_LIFETIME_SECONDS,
  accessToken,
  EXCHANGE_DEPTH_MAX,
  EXCHANGED_LIFETIME_SECONDS_MAX,
  secondsAfter,
  secondsLeft,
} from '../token-credentials.ts';
import { tokenErrors } from '../token-errors.ts';
import { type ClientContext, type GrantParts, tokenGrant } from '../token-grant.ts';

/**
 * RFC 8693: an API key or an access token becomes an access token that allows the same or less, on every axis: account, scope,
 * authorization_details, lifetime. It hangs from its subject and dies with it. From a token that is bound to a key (RFC 9449) comes one
 * that is bound to the same key, and only whoever holds that key gets it.
 */
export const tokenExchangeGrant = tokenGrant({
  grantType: TOKEN_EXCHANGE,
  parameters: tokenExchangeRequest,
  async issue(parts, context, request, dpopJkt) {
    refuseUnsupported(request, parts.publicUrl());
    const details = request.authorization_details === undefined ? null : readAuthorizationDetails(request.authorization_details);
    const subject = await findSubject(parts, context, request);
    return exchange(parts, context, request, { subject, details, dpopJkt });
  },
});

async function exchange(
  { db, tidying }: GrantParts,
  context: ClientContext,
  request: TokenExchangeRequest,
  wanted: { readonly subject: Subject; readonly details: readonly PassthroughLimits[] | null; readonly dpopJkt: string | null },
): Promise<TokenResponse> {
  const { applicationId, now } = context;
  const { subject } = wanted;
  if (subject.dpopJkt !== null && subject.dpopJkt !== wanted.dpopJkt)
    throw tokenErrors('dpop.proof_refused', { params: { problem: 'the subject_token is bound to another key' } });
  if (subject.depth >= EXCHANGE_DEPTH_MAX) throw tokenErrors('exchange.too_deep', { params: { limit: EXCHANGE_DEPTH_MAX } });
  const reads = singleStatements(db, applicationId);
  const scope = await narrowScope(reads, { applicationId, service: subject.service, wanted: request.scope, held: subject.scope });
  const details = wanted.details ?? subject.details;
  if (!passthroughWithin(details, subject.details)) throw tokenErrors('authorization_details.exceeded', { field: 'authorization_details' });
  const expiresAt = expiryOf(request, subject.expiresAt, now);

  await tidying.beforeIssuance(applicationId, now);
  const issued = accessToken.issue(applicationId);
  const token = newAccessToken({
    applicationId,
    hash: issued.hash,
    accountId: subject.accountId,
    scope,
    authorizationDetails: details,
    endUser: subject.endUser,
    dpopJkt: wanted.dpopJkt,
    depth: subject.depth + 1,
    parent: subject.parent,
    createdAt: now,
    expiresAt,
  });
  try {
    await auditedFlight(db, context, [token], {
      target: String(subject.accountId),
      detail: {
        grant_type: TOKEN_EXCHANGE,
        subject: subject.parent.kind,
        scope,
        expires: expiresAt.toISOString(),
        ...(details === null ? {} : { authorization_details: details }),
      },
    });
  } catch (thrown) {
    // The parent was deleted between our look and our insert.
    if (isForeignKeyViolation(thrown)) throw tokenErrors('exchange.subject_invalid', { cause: thrown });
    throw thrown;
  }
  return {
    access_token: issued.secret.reveal(),
    issued_token_type: ACCESS_TOKEN_TYPE,
    token_type: wanted.dpopJkt === null ? 'Bearer' : 'DPoP',
    scope,
    account_id: subject.accountId,
    expires_in: secondsLeft(expiresAt, now),
    ...(subject.endUser === null ? {} : { end_user: subject.endUser }),
    ...(details === null ? {} : { authorization_details: details as TokenResponse['authorization_details'] }),
  };
}

function refuseUnsupported(request: TokenExchangeRequest, issuer: string): void {
  if (request.actor_token !== undefined || request.actor_token_type !== undefined)
    throw tokenErrors('exchange.actor', { field: 'actor_token' });
  if (request.requested_token_type !== undefined && request.requested_token_type !== ACCESS_TOKEN_TYPE)
    throw tokenErrors('exchange.token_type', { params: { known: 'the subject_token' }, field: 'requested_token_type' });
  for (const name of ['resource', 'audience'] as const)
    if (request[name] !== undefined && request[name] !== issuer) throw tokenErrors('exchange.target', { params: { issuer }, field: name });
}

/** What the subject allows: the ceiling of every axis. The new token hangs from `parent`. */
interface Subject {
  readonly parent: TokenParent;
  readonly accountId: number;
  readonly service: string;
  readonly scope: string;
  readonly details: readonly PassthroughLimits[] | null;
  readonly endUser: string | null;
  readonly dpopJkt: string | null;
  readonly depth: number;
  readonly expiresAt: Date | null;
}

async function findSubject({ db }: GrantParts, context: ClientContext, request: TokenExchangeRequest): Promise<Subject> {
  switch (request.subject_token_type) {
    case API_KEY_TYPE:
      return apiKeySubject(db, context, request);
    case ACCESS_TOKEN_TYPE:
      return accessTokenSubject(db, context, request);
    default:
      throw tokenErrors('exchange.token_type', {
        params: { known: `${API_KEY_TYPE} or ${ACCESS_TOKEN_TYPE}` },
        field: 'subject_token_type',
      });
  }
}

/** An API key reaches every account, so one must be named. */
async function apiKeySubject(db: Database, { applicationId, now }: ClientContext, request: TokenExchangeRequest): Promise<Subject> {
  const { account_id: accountId } = request;
  const key = await authenticateOwnApiKey(db, { applicationId, key: request.subject_token, now });
  if (key === null) throw tokenErrors('exchange.subject_invalid', { field: 'subject_token' });
  const account = accountId === undefined ? null : ((await recallAccount(db, { applicationId, accountId }))?.account ?? null);
  if (account === null || !account.active) throw tokenErrors('exchange.account', { field: 'account_id' });
  const { service, effectiveScope: scope, endUser } = account;
  const parent = { kind: 'api_key', apiKeyId: key.apiKeyId } as const;
  return { parent, accountId: account.accountId, service, scope, details: null, endUser, dpopJkt: null, depth: 0, expiresAt: null };
}

/** An access token reaches its own account. */
async function accessTokenSubject(db: Database, { applicationId, now }: ClientContext, request: TokenExchangeRequest): Promise<Subject> {
  const parsed = accessToken.parse(request.subject_token);
  if (parsed?.applicationId !== applicationId) throw tokenErrors('exchange.subject_invalid', { field: 'subject_token' });
  const { hash } = parsed;
  const token = await recallLiveAccessToken(db, { applicationId, hash, now });
  if (token === null) throw tokenErrors('exchange.subject_invalid', { field: 'subject_token' });
  if (request.account_id !== undefined && request.account_id !== token.accountId)
    throw tokenErrors('exchange.account', { field: 'account_id' });
  return { ...token, parent: { kind: 'access_token', hash }, details: token.authorizationDetails };
}

function expiryOf(request: TokenExchangeRequest, ceiling: Date | null, now: Date): Date {
  const wanted = secondsAfter(now, Math.min(request.expires_in ?? ACCESS_TOKEN_LIFETIME_SECONDS, EXCHANGED_LIFETIME_SECONDS_MAX));
  return ceiling !== null && ceiling < wanted ? ceiling : wanted;
}
