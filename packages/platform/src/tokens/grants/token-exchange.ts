import type { ApplicationId } from '@bulkhead/base';
import { isForeignKeyViolation, type Tx } from '@bulkhead/postgres';
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
import { findAccount } from '../../accounts/index.ts';
import { audit } from '../../audit/index.ts';
import { findLiveAccessToken, insertAccessToken, type TokenParent } from '../access-token-store.ts';
import { deleteExpired } from '../delete-expired.ts';
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
    const parent = await authenticateSubject(parts, context, request);
    try {
      return await parts.db.withTenant(context.applicationId, (tx) => exchange(tx, context, request, { parent, details, dpopJkt }));
    } catch (thrown) {
      // The parent was deleted between our look and our insert.
      if (isForeignKeyViolation(thrown)) throw tokenErrors('exchange.subject_invalid', { cause: thrown });
      throw thrown;
    }
  },
});

async function exchange(
  tx: Tx,
  context: ClientContext,
  request: TokenExchangeRequest,
  wanted: { readonly parent: TokenParent; readonly details: readonly PassthroughLimits[] | null; readonly dpopJkt: string | null },
): Promise<TokenResponse> {
  const { applicationId, now } = context;
  const subject = await openSubject(tx, applicationId, wanted.parent, request.account_id, now);
  if (subject.dpopJkt !== null && subject.dpopJkt !== wanted.dpopJkt)
    throw tokenErrors('dpop.proof_refused', { params: { problem: 'the subject_token is bound to another key' } });
  if (subject.depth >= EXCHANGE_DEPTH_MAX) throw tokenErrors('exchange.too_deep', { params: { limit: EXCHANGE_DEPTH_MAX } });
  const scope = await narrowScope(tx, { applicationId, service: subject.service, wanted: request.scope, held: subject.scope });
  const details = wanted.details ?? subject.details;
  if (!passthroughWithin(details, subject.details)) throw tokenErrors('authorization_details.exceeded', { field: 'authorization_details' });
  const expiresAt = expiryOf(request, subject.expiresAt, now);

  const issued = accessToken.issue(applicationId);
  await Promise.all([
    insertAccessToken(tx, {
      applicationId,
      hash: issued.hash,
      accountId: subject.accountId,
      scope,
      authorizationDetails: details,
      endUser: subject.endUser,
      dpopJkt: wanted.dpopJkt,
      depth: subject.depth + 1,
      parent: wanted.parent,
      createdAt: now,
      expiresAt,
    }),
    deleteExpired(tx, applicationId, now),
  ]);
  await audit(tx, context, {
    target: String(subject.accountId),
    detail: {
      grant_type: TOKEN_EXCHANGE,
      subject: wanted.parent.kind,
      scope,
      expires: expiresAt.toISOString(),
      ...(details === null ? {} : { authorization_details: details }),
    },
  });
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

/** Who the subject is. Outside of the transaction, because an API key is authenticated in one of its own. */
async function authenticateSubject(
  { authenticateApiKey }: GrantParts,
  context: ClientContext,
  request: TokenExchangeRequest,
): Promise<TokenParent> {
  const { applicationId } = context;
  switch (request.subject_token_type) {
    case API_KEY_TYPE: {
      const key = await authenticateApiKey(request.subject_token, context.now);
      if (key?.applicationId !== applicationId) throw tokenErrors('exchange.subject_invalid', { field: 'subject_token' });
      return { kind: 'api_key', apiKeyId: key.apiKeyId };
    }
    case ACCESS_TOKEN_TYPE: {
      const parsed = accessToken.parse(request.subject_token);
      if (parsed?.applicationId !== applicationId) throw tokenErrors('exchange.subject_invalid', { field: 'subject_token' });
      return { kind: 'access_token', hash: parsed.hash };
    }
    default:
      throw tokenErrors('exchange.token_type', {
        params: { known: `${API_KEY_TYPE} or ${ACCESS_TOKEN_TYPE}` },
        field: 'subject_token_type',
      });
  }
}

/** What the subject allows: the ceiling of every axis. */
interface Subject {
  readonly accountId: number;
  readonly service: string;
  readonly scope: string;
  readonly details: readonly PassthroughLimits[] | null;
  readonly endUser: string | null;
  readonly dpopJkt: string | null;
  readonly depth: number;
  readonly expiresAt: Date | null;
}

/** An API key reaches every account, so one must be named; an access token reaches its own. */
async function openSubject(
  tx: Tx,
  applicationId: ApplicationId,
  parent: TokenParent,
  accountId: number | undefined,
  now: Date,
): Promise<Subject> {
  if (parent.kind === 'access_token') {
    const token = await findLiveAccessToken(tx, applicationId, parent.hash, now);
    if (token === null) throw tokenErrors('exchange.subject_invalid', { field: 'subject_token' });
    if (accountId !== undefined && accountId !== token.accountId) throw tokenErrors('exchange.account', { field: 'account_id' });
    return { ...token, details: token.authorizationDetails };
  }
  const account = accountId === undefined ? null : await findAccount(tx, applicationId, accountId);
  if (account === null || !account.active) throw tokenErrors('exchange.account', { field: 'account_id' });
  const { service, effectiveScope: scope, endUser } = account;
  return { accountId: account.accountId, service, scope, details: null, endUser, dpopJkt: null, depth: 0, expiresAt: null };
}

function expiryOf(request: TokenExchangeRequest, ceiling: Date | null, now: Date): Date {
  const wanted = secondsAfter(now, Math.min(request.expires_in ?? ACCESS_TOKEN_LIFETIME_SECONDS, EXCHANGED_LIFETIME_SECONDS_MAX));
  return ceiling !== null && ceiling < wanted ? ceiling : wanted;
}
