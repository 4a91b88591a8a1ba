import { createHash } from 'node:crypto';
import { type ApplicationId, defineId, Secret } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { sql, type Tx } from '@bulkhead/postgres';
import { defineSealedColumn, type Vault } from '../vault/index.ts';

export const inboundMessageId = defineId('inm');

/** A verified message without its content. */
export interface InboundMessage {
  readonly messageId: string;
  readonly service: string;
  readonly type: string | null;
  readonly deliveryId: string | null;
  /** The accounts it concerns; none: it could be told of no account. */
  readonly accountIds: readonly number[];
  readonly receivedAt: Date;
  readonly expiresAt: Date;
}

interface InboundMessageRow {
  message_id: string;
  service: string;
  type: string | null;
  delivery_id: string | null;
  /** A list of bigint comes as texts; each is below 2^53. */
  account_ids: string[];
  payload_sealed: Buffer;
  received_at: Date;
  expires_at: Date;
}

function inboundMessage(row: Omit<InboundMessageRow, 'payload_sealed'>): InboundMessage {
  return {
    messageId: row.message_id,
    service: row.service,
    type: row.type,
    deliveryId: row.delivery_id,
    accountIds: row.account_ids.map(Number),
    receivedAt: row.received_at,
    expiresAt: row.expires_at,
  };
}

export const inboundPayloads = defineSealedColumn({ table: 'inbound_messages', column: 'payload_sealed', key: ['message_id'] });

const DELIVERY_KEPT_MS = 30 * 86_400_000;

/**
 * Notes that a delivery has been received. False where it was before: in the last 30 days, or by another process at this moment.
 */
export async function spendDelivery(
  tx: Tx,
  { applicationId, service, once, now }: { applicationId: ApplicationId; service: string; once: string; now: Date },
): Promise<boolean> {
  const hash = createHash('sha256').update(once).digest();
  const added = await tx.execute(sql`
    insert into inbound_deliveries as known (application_id, service, delivery_hash, expires_at)
    values (${applicationId}, ${service}, ${hash}, ${new Date(now.getTime() + DELIVERY_KEPT_MS)})
    on conflict (application_id, service, delivery_hash) do update set expires_at = excluded.expires_at where known.expires_at <= ${now}`);
  return added === 1;
}

export async function insertInboundMessage(
  tx: Tx,
  vault: Vault,
  applicationId: ApplicationId,
  message: InboundMessage & { readonly payload: unknown },
): Promise<void> {
  const place = inboundPayloads.place(applicationId, [message.messageId]);
  const sealed = await vault.seal(tx, place, new Secret(JSON.stringify(message.payload)));
  await tx.execute(sql`
    insert into inbound_messages (application_id, message_id, service, type, delivery_id, account_ids, payload_sealed, received_at, expires_at)
    values (${applicationId}, ${message.messageId}, ${message.service}, ${message.type}, ${message.deliveryId},
            ${[...message.accountIds]}::bigint[], ${sealed}, ${message.receivedAt}, ${message.expiresAt})`);
}

/** A message with its content, unless it is past. */
export async function openInboundMessage(
  tx: Tx,
  vault: Vault,
  { applicationId, messageId, now }: { applicationId: ApplicationId; messageId: string; now: Date },
): Promise<(InboundMessage & { readonly payload: unknown }) | null> {
  const row = await tx.maybe<InboundMessageRow>(sql`
    select * from inbound_messages where application_id = ${applicationId} and message_id = ${messageId} and expires_at > ${now}`);
  if (row === null) return null;
  const payload = await vault.open(tx, inboundPayloads.place(applicationId, [messageId]), row.payload_sealed);
  return { ...inboundMessage(row), payload: JSON.parse(payload.reveal()) as unknown };
}

export interface InboundMessageFilter {
  readonly service?: string | undefined;
  readonly accountId?: number | undefined;
}

/** Messages that are not past, the newest first. */
export async function listInboundMessages(
  tx: Tx,
  { applicationId, now }: { applicationId: ApplicationId; now: Date },
  { service, accountId }: InboundMessageFilter,
  page: { page: number; page_size: number },
): Promise<Page<InboundMessage>> {
  const where = sql`application_id = ${applicationId} and expires_at > ${now}
    and (${service ?? null}::text is null or service = ${service ?? null}::text)
    and (${accountId ?? null}::bigint is null or ${accountId ?? null}::bigint = any(account_ids))`;
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total from inbound_messages where ${where}`);
  const rows = await tx.query<InboundMessageRow>(sql`
    select message_id, service, type, delivery_id, account_ids, received_at, expires_at from inbound_messages where ${where}
     order by received_at desc, message_id limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(inboundMessage), total };
}

const ROWS_MAX = 5_000;

/** Deletes what is past, of everybody, at most 5,000 of each; answers how many. For the system role. */
export async function deletePastInbound(tx: Tx, now: Date): Promise<number> {
  const messages = await tx.execute(sql`
    delete from inbound_messages where ctid = any(array(
      select ctid from inbound_messages where expires_at <= ${now} order by expires_at limit ${ROWS_MAX} for update skip locked))`);
  const deliveries = await tx.execute(sql`
    delete from inbound_deliveries where ctid = any(array(
      select ctid from inbound_deliveries where expires_at <= ${now} order by expires_at limit ${ROWS_MAX} for update skip locked))`);
  return messages + deliveries;
}
