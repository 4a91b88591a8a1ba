import { type ApplicationId, defineId, defineTenantCredential, type Secret } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import { sql, type Tx } from '@bulkhead/postgres';
import { clearEndpoint, deleteDeliveries, deleteEndpoint, hurryDeliveries, replayDeliveries } from '../deliveries/index.ts';
import { defineSealedColumn, type Place, type Sealer, type Vault } from '../vault/index.ts';
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
  /** As its owner set it; one that was stopped for failing stays active here. */
  readonly active: boolean;
  /** Until when the secret before this one still signs; null: there is none. */
  readonly previousSecretUntil: Date | null;
  readonly createdAt: Date;
  readonly modifiedAt: Date;
}

interface WebhookRow {
  webhook_id: string;
  url: string;
  format: WebhookFormat;
  events: string[] | null;
  active: boolean;
  secret_sealed: Buffer;
  previous_secret_sealed: Buffer | null;
  previous_secret_until: Date | null;
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
    previousSecretUntil: row.previous_secret_until,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
  };
}

export const webhookSecrets = defineSealedColumn({ table: 'webhooks', column: 'secret_sealed', key: ['webhook_id'] });
export const previousWebhookSecrets = defineSealedColumn({ table: 'webhooks', column: 'previous_secret_sealed', key: ['webhook_id'] });

function place(applicationId: ApplicationId, row: string): Place {
  return webhookSecrets.place(applicationId, [row]);
}

function previousPlace(applicationId: ApplicationId, row: string): Place {
  return previousWebhookSecrets.place(applicationId, [row]);
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

/**
 * A new secret. The one before signs beside it for `overlapSeconds`, so that the receiver has time to take over the new one; with 0 it
 * is worth nothing at once. What an earlier rotation had left is gone.
 */
export async function rotateWebhookSecret(
  tx: Tx,
  vault: Vault,
  { applicationId, id, overlapSeconds, now }: { applicationId: ApplicationId; id: string; overlapSeconds: number; now: Date },
): Promise<{ webhook: Webhook; secret: Secret } | null> {
  const held = await tx.maybe<WebhookRow>(sql`
    select * from webhooks where application_id = ${applicationId} and webhook_id = ${id} for update`);
  if (held === null) return null;
  const { secret } = webhookSecret.issue(applicationId);
  const sealed = await vault.seal(tx, place(applicationId, id), secret);
  const previous =
    overlapSeconds === 0
      ? null
      : await vault.seal(tx, previousPlace(applicationId, id), await vault.open(tx, place(applicationId, id), held.secret_sealed));
  const row = await tx.one<WebhookRow>(sql`
    update webhooks
       set secret_sealed = ${sealed}, modified_at = ${now},
           previous_secret_sealed = ${previous},
           previous_secret_until = ${previous === null ? null : new Date(now.getTime() + overlapSeconds * 1_000)}
     where application_id = ${applicationId} and webhook_id = ${id} returning *`);
  return { webhook: webhook(row), secret };
}

/** A webhook with the secrets that sign at the moment, the newest first. */
export interface OpenedWebhook {
  readonly webhook: Webhook;
  readonly secrets: readonly Secret[];
}

/** Those of `ids` that are there, by id. */
export async function openWebhooks(
  tx: Tx,
  vault: Vault,
  { applicationId, ids, now }: { applicationId: ApplicationId; ids: readonly string[]; now: Date },
): Promise<ReadonlyMap<string, OpenedWebhook>> {
  const rows = await tx.query<WebhookRow>(sql`
    select * from webhooks where application_id = ${applicationId} and webhook_id = any(${ids})`);
  const opened = new Map<string, OpenedWebhook>();
  for (const row of rows) {
    const secrets = [await vault.open(tx, place(applicationId, row.webhook_id), row.secret_sealed)];
    if (row.previous_secret_sealed !== null && row.previous_secret_until !== null && row.previous_secret_until > now)
      secrets.push(await vault.open(tx, previousPlace(applicationId, row.webhook_id), row.previous_secret_sealed));
    opened.set(row.webhook_id, { webhook: webhook(row), secrets });
  }
  return opened;
}

/** Removes a webhook, and with it what was or should be sent to it. */
export async function deleteWebhook(tx: Tx, applicationId: ApplicationId, id: string): Promise<boolean> {
  if ((await tx.execute(sql`delete from webhooks where application_id = ${applicationId} and webhook_id = ${id}`)) !== 1) return false;
  await deleteDeliveries(tx, applicationId, id);
  await deleteEndpoint(tx, applicationId, id);
  return true;
}

/** What one re-enabling sends again at most; the rest is a replay of a range away. */
const REPLAYED_MAX = 10_000;

/**
 * Gives an endpoint that was stopped, or rests, another chance: what waits comes due, and what was given up since it began to fail is
 * sent again.
 */
export async function resumeWebhook(tx: Tx, applicationId: ApplicationId, id: string, now: Date): Promise<void> {
  const failedSince = await clearEndpoint(tx, applicationId, id);
  if (failedSince === null) return;
  await replayDeliveries(tx, {
    applicationId,
    endpointId: id,
    since: new Date(failedSince.getTime() - MISSED_BEFORE_MS),
    // What failed at this very moment belongs to it.
    until: new Date(now.getTime() + 1),
    statuses: ['failed'],
    limit: REPLAYED_MAX,
    now,
  });
  await hurryDeliveries(tx, applicationId, id, now);
}

/** A delivery that failed first just then was written a little before. */
const MISSED_BEFORE_MS = 30 * 60 * 60_000;

/** Copies URL, format and events; every copy gets a secret of its own, never the source's. */
export async function cloneWebhooks(
  tx: Tx,
  { from, to, now, sealing }: { from: ApplicationId; to: ApplicationId; now: Date; sealing: Promise<Sealer> },
): Promise<void> {
  const rows = await tx.query<WebhookRow>(sql`select * from webhooks where application_id = ${from} order by created_at, webhook_id`);
  if (rows.length === 0) return;
  const seal = await sealing;
  const ids = rows.map(() => webhookId.generate());
  const sealed = ids.map((id) => seal(place(to, id), webhookSecret.issue(to).secret));
  await tx.execute(sql`
    insert into webhooks (application_id, webhook_id, url, format, events, active, secret_sealed, created_at, modified_at)
    select ${to}, new.id, w.url, w.format, w.events, w.active, new.sealed, ${now}, ${now}
      from unnest(${rows.map((row) => row.webhook_id)}::text[], ${ids}::text[], ${sealed}::bytea[]) as new (source, id, sealed)
      join webhooks w on w.application_id = ${from} and w.webhook_id = new.source`);
}
