import { type ApplicationId, defineTenantCredential, type Secret } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import { z } from 'zod';
import type { UpstreamServer } from '../services/index.ts';
import { defineSealedColumn, type Place, type Vault } from '../vault/index.ts';
import { type AuthorizationRequest, authorizationRequestSchema } from './authorization-request.ts';

/** Names a flow in the address of its pages, and (another one) in the `state` that goes upstream. Worth nothing without the browser's cookie. */
export const transactionCredential = defineTenantCredential('bht');

/** Minutes at one step, and for the whole flow however often another service is chosen. */
const STEP_MS = 10 * 60_000;
const WHOLE_MS = 30 * 60_000;

/** One connect flow in one browser. */
export interface Transaction {
  readonly applicationId: ApplicationId;
  readonly transactionHash: Buffer;
  readonly browserHash: Buffer;
  readonly request: AuthorizationRequest;
  readonly expiresAt: Date;
  readonly consumedAt: Date | null;
  readonly attempts: number;
  /** Set while the browser is at the service. */
  readonly upstream: UpstreamLeg | null;
}

/** Everything a callback is compared with, and what the code is redeemed by. */
export interface UpstreamLeg {
  readonly service: string;
  readonly oauthKeyId: string;
  readonly callbackId: string;
  readonly endpointsDigest: Buffer;
  readonly server: UpstreamServer;
  readonly redirectUri: string;
  readonly requestedScopes: readonly string[];
}

const upstreamSchema = z.object({
  server: z.object({
    issuer: z.string().nullable(),
    authorizationEndpoint: z.string(),
    tokenEndpoint: z.string(),
    revocationEndpoint: z.string().nullable(),
    issPromised: z.boolean(),
    idTokenAlgorithms: z.array(z.string()),
  }),
  redirectUri: z.string(),
  requestedScopes: z.array(z.string()),
});

interface TransactionRow {
  application_id: ApplicationId;
  transaction_hash: Buffer;
  browser_hash: Buffer;
  request: unknown;
  service: string | null;
  oauth_key_id: string | null;
  callback_id: string | null;
  endpoints_digest: Buffer | null;
  upstream: unknown;
  attempts: number;
  expires_at: Date;
  consumed_at: Date | null;
}

function transaction(row: TransactionRow): Transaction {
  const { service, oauth_key_id: oauthKeyId, callback_id: callbackId, endpoints_digest: endpointsDigest } = row;
  const atUpstream = service !== null && oauthKeyId !== null && callbackId !== null && endpointsDigest !== null && row.upstream !== null;
  return {
    applicationId: row.application_id,
    transactionHash: row.transaction_hash,
    browserHash: row.browser_hash,
    request: authorizationRequestSchema.parse(row.request),
    expiresAt: row.expires_at,
    consumedAt: row.consumed_at,
    attempts: row.attempts,
    upstream: atUpstream ? { service, oauthKeyId, callbackId, endpointsDigest, ...upstreamSchema.parse(row.upstream) } : null,
  };
}

export async function insertTransaction(
  tx: Tx,
  fields: { applicationId: ApplicationId; transactionHash: Buffer; browserHash: Buffer; request: AuthorizationRequest; now: Date },
): Promise<void> {
  await tx.execute(sql`
    insert into authorization_transactions (application_id, transaction_hash, browser_hash, request, created_at, expires_at)
    values (${fields.applicationId}, ${fields.transactionHash}, ${fields.browserHash}, ${JSON.stringify(fields.request)}::jsonb,
            ${fields.now}, ${new Date(fields.now.getTime() + STEP_MS)})`);
}

export async function findTransaction(tx: Tx, applicationId: ApplicationId, transactionHash: Buffer): Promise<Transaction | null> {
  const row = await tx.maybe<TransactionRow>(sql`
    select * from authorization_transactions where application_id = ${applicationId} and transaction_hash = ${transactionHash}`);
  return row === null ? null : transaction(row);
}

export async function findTransactionByState(tx: Tx, applicationId: ApplicationId, stateHash: Buffer): Promise<Transaction | null> {
  const row = await tx.maybe<TransactionRow>(sql`
    select * from authorization_transactions where application_id = ${applicationId} and state_hash = ${stateHash}`);
  return row === null ? null : transaction(row);
}

export const codeVerifiers = defineSealedColumn({
  table: 'authorization_transactions',
  column: 'code_verifier_sealed',
  key: ['transaction_hash'],
});

function verifierPlace(applicationId: ApplicationId, transactionHash: Buffer): Place {
  return codeVerifiers.place(applicationId, [transactionHash]);
}

/**
 * Records that the browser leaves for the service. A second choice replaces the first: the older `state` is unknown from then on.
 * False where the flow is over.
 */
export async function departUpstream(
  tx: Tx,
  vault: Vault,
  flow: Pick<Transaction, 'applicationId' | 'transactionHash'>,
  leg: UpstreamLeg & { readonly stateHash: Buffer; readonly codeVerifier: Secret },
  now: Date,
): Promise<boolean> {
  const { applicationId, transactionHash } = flow;
  const { server, redirectUri, requestedScopes } = leg;
  const sealed = await vault.seal(tx, verifierPlace(applicationId, transactionHash), leg.codeVerifier);
  const changed = await tx.execute(sql`
    update authorization_transactions
       set service = ${leg.service}, oauth_key_id = ${leg.oauthKeyId}, callback_id = ${leg.callbackId}, endpoints_digest = ${leg.endpointsDigest},
           upstream = ${JSON.stringify({ server, redirectUri, requestedScopes })}::jsonb, state_hash = ${leg.stateHash},
           code_verifier_sealed = ${sealed}, expires_at = least(${new Date(now.getTime() + STEP_MS)}::timestamptz, created_at + ${WHOLE_MS} * interval '1 millisecond')
     where application_id = ${applicationId} and transaction_hash = ${transactionHash} and consumed_at is null and expires_at > ${now}`);
  return changed === 1;
}

/** Ends the flow; true for exactly one caller, however many come at once. */
export async function consumeTransaction(
  tx: Tx,
  { applicationId, transactionHash }: Pick<Transaction, 'applicationId' | 'transactionHash'>,
  now: Date,
): Promise<boolean> {
  const changed = await tx.execute(sql`
    update authorization_transactions set consumed_at = ${now}
     where application_id = ${applicationId} and transaction_hash = ${transactionHash} and consumed_at is null`);
  return changed === 1;
}

/** The PKCE verifier of the leg that this transaction holds. */
export async function openCodeVerifier(
  tx: Tx,
  vault: Vault,
  { applicationId, transactionHash }: Pick<Transaction, 'applicationId' | 'transactionHash'>,
): Promise<Secret> {
  const { code_verifier_sealed: sealed } = await tx.one<{ code_verifier_sealed: Buffer }>(sql`
    select code_verifier_sealed from authorization_transactions
     where application_id = ${applicationId} and transaction_hash = ${transactionHash} and code_verifier_sealed is not null`);
  return vault.open(tx, verifierPlace(applicationId, transactionHash), sealed);
}

/** Counts a try at the credential form; answers how many there were, this one included. */
export async function countAttempt(
  tx: Tx,
  { applicationId, transactionHash }: Pick<Transaction, 'applicationId' | 'transactionHash'>,
): Promise<number> {
  const row = await tx.one<{ attempts: number }>(sql`
    update authorization_transactions set attempts = attempts + 1
     where application_id = ${applicationId} and transaction_hash = ${transactionHash} returning attempts`);
  return row.attempts;
}

/** Removes some of what ended before `before`; called when a flow begins, so that an Application tidies up after itself. */
export async function deleteOldTransactions(tx: Tx, applicationId: ApplicationId, before: Date, limit: number): Promise<void> {
  await tx.execute(sql`
    delete from authorization_transactions
     where application_id = ${applicationId} and transaction_hash in (
       select transaction_hash from authorization_transactions where application_id = ${applicationId} and expires_at < ${before}
        limit ${limit} for update skip locked)`);
}
