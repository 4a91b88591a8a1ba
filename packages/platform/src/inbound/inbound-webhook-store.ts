import { type ApplicationId, defineId, type Secret } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { isUniqueViolation, sql, type Tx } from '@bulkhead/postgres';
import { defineSealedColumn, type Vault } from '../vault/index.ts';
import { inboundErrors } from './inbound-errors.ts';
import type { SchemeId } from './schemes.ts';

const inboundWebhookId = defineId('inw');
const INBOUND_WEBHOOKS_MAX = 100;

/** Where and how one service reports to an Application. Its secrets are write-only. */
export interface InboundWebhook {
  readonly inboundWebhookId: string;
  readonly service: string;
  readonly scheme: SchemeId;
  readonly hasSecondarySecret: boolean;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

interface InboundWebhookRow {
  inbound_webhook_id: string;
  service: string;
  scheme: SchemeId;
  secret_sealed: Buffer;
  secondary_secret_sealed: Buffer | null;
  created_at: Date;
  modified_at: Date;
}

function inboundWebhook(row: InboundWebhookRow): InboundWebhook {
  return {
    inboundWebhookId: row.inbound_webhook_id,
    service: row.service,
    scheme: row.scheme,
    hasSecondarySecret: row.secondary_secret_sealed !== null,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}

export const inboundSecrets = defineSealedColumn({ table: 'inbound_webhooks', column: 'secret_sealed', key: ['inbound_webhook_id'] });
export const secondaryInboundSecrets = defineSealedColumn({
  table: 'inbound_webhooks',
  column: 'secondary_secret_sealed',
  key: ['inbound_webhook_id'],
});

export interface InboundWebhookFields {
  readonly service: string;
  readonly scheme: SchemeId;
  readonly secret: Secret;
  readonly secondarySecret: Secret | null;
}

export async function addInboundWebhook(
  tx: Tx,
  vault: Vault,
  applicationId: ApplicationId,
  fields: InboundWebhookFields,
  now: Date,
): Promise<InboundWebhook> {
  const { held } = await tx.one<{ held: number }>(
    sql`select count(*) as held from inbound_webhooks where application_id = ${applicationId}`,
  );
  if (held >= INBOUND_WEBHOOKS_MAX) throw inboundErrors('inbound_webhook.limit', { params: { limit: INBOUND_WEBHOOKS_MAX } });
  const id = inboundWebhookId.generate();
  const seal = await vault.sealer(tx, applicationId);
  const secret = seal(inboundSecrets.place(applicationId, [id]), fields.secret);
  const secondary =
    fields.secondarySecret === null ? null : seal(secondaryInboundSecrets.place(applicationId, [id]), fields.secondarySecret);
  try {
    return inboundWebhook(
      await tx.one<InboundWebhookRow>(sql`
        insert into inbound_webhooks (application_id, inbound_webhook_id, service, scheme, secret_sealed, secondary_secret_sealed, created_at, modified_at)
        values (${applicationId}, ${id}, ${fields.service}, ${fields.scheme}, ${secret}, ${secondary}, ${now}, ${now}) returning *`),
    );
  } catch (thrown) {
    throw isUniqueViolation(thrown)
      ? inboundErrors('inbound_webhook.exists', { params: { service: fields.service }, field: 'service' })
      : thrown;
  }
}

/** Null where there is none of this id. `secondarySecret` null takes the second secret away, undefined leaves it. */
export async function changeInboundWebhook(
  tx: Tx,
  vault: Vault,
  { applicationId, id, now }: { applicationId: ApplicationId; id: string; now: Date },
  changes: {
    readonly scheme?: SchemeId | undefined;
    readonly secret?: Secret | undefined;
    readonly secondarySecret?: Secret | null | undefined;
  },
): Promise<InboundWebhook | null> {
  const seal = await vault.sealer(tx, applicationId);
  const secret = changes.secret === undefined ? null : seal(inboundSecrets.place(applicationId, [id]), changes.secret);
  const secondary = changes.secondarySecret ? seal(secondaryInboundSecrets.place(applicationId, [id]), changes.secondarySecret) : null;
  const row = await tx.maybe<InboundWebhookRow>(sql`
    update inbound_webhooks
       set scheme = coalesce(${changes.scheme ?? null}, scheme), secret_sealed = coalesce(${secret}, secret_sealed),
           secondary_secret_sealed = case when ${changes.secondarySecret !== undefined} then ${secondary} else secondary_secret_sealed end,
           modified_at = ${now}
     where application_id = ${applicationId} and inbound_webhook_id = ${id} returning *`);
  return row === null ? null : inboundWebhook(row);
}

export async function findInboundWebhook(tx: Tx, applicationId: ApplicationId, id: string): Promise<InboundWebhook | null> {
  const row = await tx.maybe<InboundWebhookRow>(sql`
    select * from inbound_webhooks where application_id = ${applicationId} and inbound_webhook_id = ${id}`);
  return row === null ? null : inboundWebhook(row);
}

export async function listInboundWebhooks(
  tx: Tx,
  applicationId: ApplicationId,
  page: { page: number; page_size: number },
): Promise<Page<InboundWebhook>> {
  const { total } = await tx.one<{ total: number }>(sql`
    select count(*) as total from inbound_webhooks where application_id = ${applicationId}`);
  const rows = await tx.query<InboundWebhookRow>(sql`
    select * from inbound_webhooks where application_id = ${applicationId} order by created_at, inbound_webhook_id
     limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(inboundWebhook), total };
}

export async function deleteInboundWebhook(tx: Tx, applicationId: ApplicationId, id: string): Promise<boolean> {
  return (await tx.execute(sql`delete from inbound_webhooks where application_id = ${applicationId} and inbound_webhook_id = ${id}`)) === 1;
}

/** By which scheme and with which secrets a service's messages are verified; null where the Application expects none, or is off. */
export async function openInboundWebhook(
  tx: Tx,
  vault: Vault,
  applicationId: ApplicationId,
  service: string,
): Promise<{ readonly scheme: SchemeId; readonly secrets: readonly Secret[] } | null> {
  const row = await tx.maybe<InboundWebhookRow>(sql`
    select w.* from inbound_webhooks w join applications a using (application_id)
     where w.application_id = ${applicationId} and w.service = ${service} and a.active and a.deleted_at is null`);
  if (row === null) return null;
  const secrets = [await vault.open(tx, inboundSecrets.place(applicationId, [row.inbound_webhook_id]), row.secret_sealed)];
  if (row.secondary_secret_sealed !== null)
    secrets.push(await vault.open(tx, secondaryInboundSecrets.place(applicationId, [row.inbound_webhook_id]), row.secondary_secret_sealed));
  return { scheme: row.scheme, secrets };
}
