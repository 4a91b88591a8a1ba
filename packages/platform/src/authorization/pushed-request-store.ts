import { type ApplicationId, defineTenantCredential } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import { REQUEST_URI_PREFIX } from '@bulkhead/protocol';
import { type AuthorizationRequest, authorizationRequestSchema } from './authorization-request.ts';

const pushedRequestCredential = defineTenantCredential('bhp');

/** RFC 9126 §2.2 asks for "relatively short". */
export const PUSHED_REQUEST_SECONDS = 600;

/** Keeps a checked request; answers the `request_uri` under which it can be used once within ten minutes. */
export async function insertPushedRequest(
  tx: Tx,
  fields: { applicationId: ApplicationId; request: AuthorizationRequest; now: Date },
): Promise<string> {
  const { secret, hash } = pushedRequestCredential.issue(fields.applicationId);
  await tx.execute(sql`
    insert into pushed_authorization_requests (application_id, request_uri_hash, request, created_at, expires_at)
    values (${fields.applicationId}, ${hash}, ${JSON.stringify(fields.request)}::jsonb, ${fields.now},
            ${new Date(fields.now.getTime() + PUSHED_REQUEST_SECONDS * 1000)})`);
  return REQUEST_URI_PREFIX + secret.reveal();
}

/** The Application and hash a well-formed `request_uri` names, else null. */
export function parseRequestUri(requestUri: string): { readonly applicationId: ApplicationId; readonly hash: Buffer } | null {
  return requestUri.startsWith(REQUEST_URI_PREFIX) ? pushedRequestCredential.parse(requestUri.slice(REQUEST_URI_PREFIX.length)) : null;
}

/** Consumes a pushed request: the request for one caller, null for every other. */
export async function consumePushedRequest(
  tx: Tx,
  applicationId: ApplicationId,
  hash: Buffer,
  now: Date,
): Promise<AuthorizationRequest | null> {
  const row = await tx.maybe<{ request: unknown }>(sql`
    update pushed_authorization_requests set used_at = ${now}
     where application_id = ${applicationId} and request_uri_hash = ${hash} and used_at is null and expires_at > ${now} returning request`);
  return row === null ? null : authorizationRequestSchema.parse(row.request);
}

/** Removes some of what expired before `before`. */
export async function deleteOldPushedRequests(tx: Tx, applicationId: ApplicationId, before: Date, limit: number): Promise<void> {
  await tx.execute(sql`
    delete from pushed_authorization_requests
     where application_id = ${applicationId} and request_uri_hash in (
       select request_uri_hash from pushed_authorization_requests where application_id = ${applicationId} and expires_at < ${before}
        limit ${limit} for update skip locked)`);
}
