import type { ApplicationId } from '@bulkhead/base';
import { type JsonValue, sql, type TenantTx, type Tx } from '@bulkhead/postgres';
import type { PageSession } from './page-session.ts';

interface SessionRow {
  application_id: ApplicationId;
  session_id: string;
  client_key: string;
  app_key: string;
  module_key: string;
  browser_hash: Buffer | null;
  end_user: string | null;
  is_admin: boolean;
  context: Record<string, unknown>;
  frame_ancestors: string[];
  lifetime_seconds: number;
  ends_at: Date;
}

function session(row: SessionRow): PageSession {
  return {
    applicationId: row.application_id,
    sessionId: row.session_id,
    clientKey: row.client_key,
    appKey: row.app_key,
    moduleKey: row.module_key,
    browserHash: row.browser_hash,
    endUser: row.end_user,
    isAdmin: row.is_admin,
    context: row.context,
    frameAncestors: row.frame_ancestors,
    lifetimeSeconds: row.lifetime_seconds,
    endsAt: row.ends_at,
  };
}

/**
 * Keeps a session that has not been opened.
 * False: the Application has as many as it may. Of those that are over some are forgotten on the way: chosen first, as an array, since a
 * join over a table that has grown since it was last analysed took 22 seconds for 10,000.
 */
export async function insertSession(
  tx: TenantTx,
  given: Omit<PageSession, 'applicationId' | 'appKey' | 'browserHash'> & { readonly ticketHash: Buffer },
  { now, most }: { now: Date; most: number },
): Promise<boolean> {
  await tx.execute(sql`
    delete from page_sessions where application_id = ${tx.applicationId} and session_id = any(array(
      select session_id from page_sessions where application_id = ${tx.applicationId} and ends_at <= ${now} limit 100))`);
  const { held } = await tx.one<{ held: number }>(sql`
    select count(*) as held from page_sessions where application_id = ${tx.applicationId} and ends_at > ${now}`);
  if (held >= most) return false;
  await tx.execute(sql`
    insert into page_sessions (application_id, session_id, client_key, module_key, ticket_hash, end_user, is_admin, context,
                               frame_ancestors, lifetime_seconds, created_at, ends_at)
    values (${tx.applicationId}, ${given.sessionId}, ${given.clientKey}, ${given.moduleKey}, ${given.ticketHash}, ${given.endUser},
            ${given.isAdmin}, ${sql.json(given.context as JsonValue)}, ${given.frameAncestors}, ${given.lifetimeSeconds}, ${now}, ${given.endsAt})`);
  return true;
}

/** By its ticket, opened or not, as long as it has not ended. Held until the transaction ends, so that it is opened once. */
export async function findByTicket(tx: TenantTx, ticketHash: Buffer, now: Date): Promise<PageSession | null> {
  const row = await tx.maybe<SessionRow>(sql`
    select s.*, i.app_key from page_sessions s join app_installs i using (application_id, client_key)
     where s.application_id = ${tx.applicationId} and s.ticket_hash = ${ticketHash} and s.ends_at > ${now} for update of s`);
  return row === null ? null : session(row);
}

export async function findSession(tx: TenantTx, sessionId: string, now: Date): Promise<PageSession | null> {
  const row = await tx.maybe<SessionRow>(sql`
    select s.*, i.app_key from page_sessions s join app_installs i using (application_id, client_key)
     where s.application_id = ${tx.applicationId} and s.session_id = ${sessionId} and s.ends_at > ${now}`);
  return row === null ? null : session(row);
}

/** From the commit on the session is that browser's, and no other's. False: it was opened before. */
export async function openSession(
  tx: TenantTx,
  { sessionId, browserHash, endsAt }: { sessionId: string; browserHash: Buffer; endsAt: Date },
): Promise<boolean> {
  const opened = await tx.execute(sql`
    update page_sessions set browser_hash = ${browserHash}, ends_at = ${endsAt}
     where application_id = ${tx.applicationId} and session_id = ${sessionId} and browser_hash is null`);
  return opened === 1;
}

/** Deletes sessions that are over, at most `limit`. For the system role. Answers how many. */
export async function deleteEndedSessions(tx: Tx, { now, limit }: { now: Date; limit: number }): Promise<number> {
  return tx.execute(sql`
    delete from page_sessions where ctid = any(array(
      select ctid from page_sessions where ends_at <= ${now} limit ${limit} for update skip locked))`);
}
