import { type ApplicationId, defineId, defineTenantCredential, type Secret } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { sql, type Tx } from '@bulkhead/postgres';
import { defineSealedColumn, type Place, type Vault } from '../vault/index.ts';
import { webhookErrors } from './webhook-errors.ts';

const webhookId = defineId('whk');
const webhookSecret = defineTenantCredential('bhs');
const WEBHOOKS_MAX = 200;

export type WebhookFormat = 'kloudless' | 'standard';

/** An endpoint of the company's server. Its secret signs what is sent to it; shown once, sealed. */
export interface Webhook {
  readonly webhookId: string;
  readonly url: string;
  readonly format: WebhookFormat;
  readonly events: readonly string[] | null;
  readonly active: boolean;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

interface WebhookRow {
  webhook_id: string;
  url: string;
  format: WebhookFormat;
  events: string[] | null;
  active: boolean;
  created_at: Date;
  modified_at: Date;
}

function webhook(row: WebhookRow): Webhook {
  return {
    webhookId: row.webhook_id,
    url: row.url,
    format: row.format,
    events: row.events,
    active: row.active,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}

export const webhookSecrets = defineSealedColumn({ table: 'webhooks', column: 'secret_sealed', key: ['webhook_id'] });

function place(applicationId: ApplicationId, row: string): Place {
  return webhookSecrets.place(applicationId, [row]);
}

export interface WebhookFields {
  readonly url: string;
  readonly format: WebhookFormat;
  readonly events: readonly string[] | null;
  readonly active: boolean;
}

export async function addWebhook(
  tx: Tx,
  vault: Vault,
  applicationId: ApplicationId,
  fields: WebhookFields,
  now: Date,
): Promise<{ webhook: Webhook; secret: Secret }> {
  const { held } = await tx.one<{ held: number }>(sql`select count(*) as held from webhooks where application_id = ${applicationId}`);
  if (held >= WEBHOOKS_MAX) throw webhookErrors('webhook.limit', { params: { limit: WEBHOOKS_MAX } });
  const id = webhookId.generate();
  const { secret } = webhookSecret.issue(applicationId);
  const sealed = await vault.seal(tx, place(applicationId, id), secret);
  const row = await tx.one<WebhookRow>(sql`
    insert into webhooks (application_id, webhook_id, url, format, events, active, secret_sealed, created_at, modified_at)
    values (${applicationId}, ${id}, ${fields.url}, ${fields.format}, ${fields.events}, ${fields.active}, ${sealed}, ${now}, ${now}) returning *`);
  return { webhook: webhook(row), secret };
}

export async function listWebhooks(
  tx: Tx,
  applicationId: ApplicationId,
  page: { page: number; page_size: number },
): Promise<Page<Webhook>> {
  const { total } = await tx.one<{ total: number }>(sql`select count(*) as total from webhooks where application_id = ${applicationId}`);
  const rows = await tx.query<WebhookRow>(sql`
    select * from webhooks where application_id = ${applicationId} order by created_at, webhook_id
     limit ${page.page_size} offset ${(page.page - 1) * page.page_size}`);
  return { rows: rows.map(webhook), total };
}

export async function findWebhook(tx: Tx, applicationId: ApplicationId, id: string): Promise<Webhook | null> {
  const row = await tx.maybe<WebhookRow>(sql`select * from webhooks where application_id = ${applicationId} and webhook_id = ${id}`);
  return row === null ? null : webhook(row);
}

export async function changeWebhook(
  tx: Tx,
  applicationId: ApplicationId,
  id: string,
  changes: { [Field in keyof WebhookFields]?: WebhookFields[Field] | undefined },
  now: Date,
): Promise<Webhook | null> {
  const row = await tx.maybe<WebhookRow>(sql`
    update webhooks
       set url = coalesce(${changes.url ?? null}, url),
           format = coalesce(${changes.format ?? null}, format),
           active = coalesce(${changes.active ?? null}, active),
           events = case when ${changes.events !== undefined} then ${changes.events ?? null} else events end,
           modified_at = ${now}
     where application_id = ${applicationId} and webhook_id = ${id} returning *`);
  return row === null ? null : webhook(row);
}

/** A new secret, at once; the old one is gone. */
export async function rotateWebhookSecret(
  tx: Tx,
  vault: Vault,
  applicationId: ApplicationId,
  id: string,
  now: Date,
): Promise<{ webhook: Webhook; secret: Secret } | null> {
  const { secret } = webhookSecret.issue(applicationId);
  const sealed = await vault.seal(tx, place(applicationId, id), secret);
  const row = await tx.maybe<WebhookRow>(sql`
    update webhooks set secret_sealed = ${sealed}, modified_at = ${now}
     where application_id = ${applicationId} and webhook_id = ${id} returning *`);
  return row === null ? null : { webhook: webhook(row), secret };
}

export async function deleteWebhook(tx: Tx, applicationId: ApplicationId, id: string): Promise<boolean> {
  return (await tx.execute(sql`delete from webhooks where application_id = ${applicationId} and webhook_id = ${id}`)) === 1;
}

/** Copies URL, format and events; every copy gets a secret of its own, never the source's. */
export async function cloneWebhooks(
  tx: Tx,
  vault: Vault,
  { from, to, now }: { from: ApplicationId; to: ApplicationId; now: Date },
): Promise<void> {
  const rows = await tx.query<WebhookRow>(sql`select * from webhooks where application_id = ${from} order by created_at, webhook_id`);
  if (rows.length === 0) return;
  const seal = await vault.sealer(tx, to);
  const ids = rows.map(() => webhookId.generate());
  const sealed = ids.map((id) => seal(place(to, id), webhookSecret.issue(to).secret));
  await tx.execute(sql`
    insert into webhooks (application_id, webhook_id, url, format, events, active, secret_sealed, created_at, modified_at)
    select ${to}, new.id, w.url, w.format, w.events, w.active, new.sealed, ${now}, ${now}
      from unnest(${rows.map((row) => row.webhook_id)}::text[], ${ids}::text[], ${sealed}::bytea[]) as new (source, id, sealed)
      join webhooks w on w.application_id = ${from} and w.webhook_id = new.source`);
}
