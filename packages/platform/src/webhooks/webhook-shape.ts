import type { ApplicationId, Secret } from '@bulkhead/base';
import type { Page } from '@bulkhead/http';
import type { Tx } from '@bulkhead/postgres';
import { standardWebhookSecret } from '@bulkhead/protocol';
import { z } from 'zod';
import { type EndpointHealth, endpointHealth } from '../deliveries/index.ts';
import { findWebhook, listWebhooks, type Webhook } from './webhook-store.ts';

/** A webhook as it is shown: with how it fares, and its secret where that is new. */
export type ShownWebhook = Webhook & { readonly health?: EndpointHealth; readonly secret?: Secret };

export const webhookAnswer = z.object({
  id: z.string(),
  url: z.string(),
  format: z.string(),
  events: z.array(z.string()).nullable(),
  active: z.boolean().meta({ description: 'False too where it was stopped; setting it to true sends what was missed.' }),
  health: z.object({
    status: z.enum(['healthy', 'failing', 'disabled']),
    reason: z.string().nullable().meta({ description: 'Why it is disabled: `failing` for five days, or `gone` (410).' }),
    failing_since: z.iso.datetime().nullable(),
    disabled_at: z.iso.datetime().nullable(),
    consecutive_failures: z.number(),
    paused_until: z.iso.datetime().nullable().meta({ description: 'Nothing is sent before: it failed often, or asked for time.' }),
    last_success: z.iso.datetime().nullable().meta({ description: 'To the minute.' }),
    last_failure: z.iso.datetime().nullable(),
    last_failure_reason: z.string().nullable(),
  }),
  secret: z.string().optional().meta({ description: 'Only in the answer that creates or rotates it.' }),
  signing_secret: z.string().optional().meta({ description: 'The same secret as the libraries of Standard Webhooks take it.' }),
  previous_secret_expires: z.iso.datetime().nullable().meta({ description: 'Until then the secret before signs too.' }),
  created: z.iso.datetime(),
  modified: z.iso.datetime(),
  type: z.literal('webhook'),
  api: z.literal('meta'),
  href: z.string(),
});

/** `base` is the public URL. */
export function webhookShape(row: ShownWebhook, applicationId: ApplicationId, base: string): z.input<typeof webhookAnswer> {
  const { health, secret } = row;
  const isStopped = health?.stoppedAt != null;
  return {
    id: row.webhookId,
    url: row.url,
    format: row.format,
    events: row.events === null ? null : [...row.events],
    active: row.active && !isStopped,
    health: {
      status: isStopped ? 'disabled' : (health?.consecutiveFailures ?? 0) > 0 ? 'failing' : 'healthy',
      reason: health?.stoppedReason ?? null,
      failing_since: iso(health?.failingSince),
      disabled_at: iso(health?.stoppedAt),
      consecutive_failures: health?.consecutiveFailures ?? 0,
      paused_until: iso(health?.openUntil),
      last_success: iso(health?.lastSuccessAt),
      last_failure: iso(health?.lastFailureAt),
      last_failure_reason: health?.lastFailure ?? null,
    },
    ...(secret === undefined ? {} : { secret: secret.reveal(), signing_secret: standardWebhookSecret(secret).reveal() }),
    previous_secret_expires: iso(row.previousSecretUntil),
    created: row.createdAt.toISOString(),
    modified: row.modifiedAt.toISOString(),
    type: 'webhook',
    api: 'meta',
    href: `${base}/v1/meta/applications/${applicationId}/webhooks/${row.webhookId}`,
  };
}

function iso(date: Date | null | undefined): string | null {
  return date?.toISOString() ?? null;
}

export async function listShownWebhooks(
  tx: Tx,
  applicationId: ApplicationId,
  page: { page: number; page_size: number },
): Promise<Page<ShownWebhook>> {
  const { rows, total } = await listWebhooks(tx, applicationId, page);
  const ids = rows.map(({ webhookId }) => webhookId);
  const health = await endpointHealth(tx, applicationId, ids);
  return { rows: rows.map((row) => withHealth(row, health)), total };
}

export async function findShownWebhook(tx: Tx, applicationId: ApplicationId, id: string): Promise<ShownWebhook | null> {
  const row = await findWebhook(tx, applicationId, id);
  return row === null ? null : withHealth(row, await endpointHealth(tx, applicationId, [id]));
}

function withHealth(row: Webhook, health: ReadonlyMap<string, EndpointHealth>): ShownWebhook {
  const own = health.get(row.webhookId);
  return own === undefined ? row : { ...row, health: own };
}
