import type { ApplicationId } from '@bulkhead/base';
import type { Tx } from '@bulkhead/postgres';
import {
  addOAuthKey,
  addRedirectUri,
  addTrustedDomain,
  cloneCustomServices,
  openOAuthKey,
  recordSourceRevision,
  removeAllOAuthKeys,
  removeRedirectUris,
  removeTrustedDomains,
  updateApplication,
  updateBranding,
  updateEventSettings,
} from '../applications/index.ts';
import type { Vault } from '../vault/index.ts';
import { addWebhook, changeWebhook, deleteWebhook, listWebhooks } from '../webhooks/index.ts';
import type { LineageField } from './configuration.ts';
import { type Difference, diffApplication, type Lineage } from './diff-application.ts';

/**
 * Brings the chosen fields of a clone in line with its template; the rest is left alone. Webhooks that both have keep their
 * secret, API keys and accounts are never touched. Answers what differed; with `dryRun` nothing else happens.
 */
export async function syncApplication(
  tx: Tx,
  vault: Vault,
  request: { applicationId: ApplicationId; fields: readonly LineageField[]; dryRun: boolean; now: Date },
): Promise<readonly Difference[]> {
  const { applicationId: to, now } = request;
  const lineage = await diffApplication(tx, vault, to);
  const differences = lineage.differences.filter(({ field }) => request.fields.includes(field));
  if (request.dryRun || differences.length === 0) return differences;
  const differs = (field: LineageField) => differences.some((difference) => difference.field === field);
  const from = lineage.source.settings;
  await updateApplication(
    tx,
    to,
    {
      ...(differs('description') ? { description: from.description } : {}),
      ...(differs('logo_url') ? { logoUrl: from.logoUrl } : {}),
      ...(differs('environment') ? { environment: from.environment } : {}),
      ...(differs('active') ? { active: from.active } : {}),
      ...(differs('implicit_grant_enabled') ? { implicitGrantEnabled: from.implicitGrantEnabled } : {}),
      ...(differs('pkce_required') ? { pkceRequired: from.pkceRequired } : {}),
      ...(differs('recent_enabled') ? { recentEnabled: from.recentEnabled } : {}),
      ...(differs('events_enabled') ? { eventsEnabled: from.eventsEnabled } : {}),
      ...(differs('enabled_services') ? { enabledServices: from.enabledServices } : {}),
    },
    now,
  );
  if (differs('branding')) await updateBranding(tx, to, { ...from.branding, redirectDomain: undefined });
  if (differs('event_settings')) {
    const settings = lineage.source.fields.event_settings as { retention_hours: number; types: string[] | null };
    await updateEventSettings(tx, to, { retentionHours: settings.retention_hours, types: settings.types }, now);
  }
  if (differs('redirect_uris')) await syncRedirectUris(tx, to, lineage, now);
  if (differs('trusted_domains')) await syncTrustedDomains(tx, to, lineage, now);
  if (differs('services')) await cloneCustomServices(tx, { from: from.applicationId, to, now });
  if (differs('oauth_keys')) await syncOAuthKeys(tx, vault, { from: from.applicationId, to, lineage, now });
  if (differs('webhooks')) await syncWebhooks(tx, vault, { from: from.applicationId, to, now });
  await recordSourceRevision(tx, to, from.revision, now);
  return differences;
}

function difference(wanted: readonly string[], held: readonly string[]): { missing: string[]; extra: string[] } {
  return { missing: wanted.filter((item) => !held.includes(item)), extra: held.filter((item) => !wanted.includes(item)) };
}

async function syncRedirectUris(tx: Tx, to: ApplicationId, { source, application }: Lineage, now: Date): Promise<void> {
  const { missing, extra } = difference(source.fields.redirect_uris as string[], application.fields.redirect_uris as string[]);
  await removeRedirectUris(tx, to, extra);
  for (const url of missing) await addRedirectUri(tx, to, url, now);
}

async function syncTrustedDomains(tx: Tx, to: ApplicationId, { source, application }: Lineage, now: Date): Promise<void> {
  const { missing, extra } = difference(source.fields.trusted_domains as string[], application.fields.trusted_domains as string[]);
  await removeTrustedDomains(tx, to, extra);
  for (const domain of missing) await addTrustedDomain(tx, to, domain, now);
}

async function syncOAuthKeys(
  tx: Tx,
  vault: Vault,
  { from, to, lineage, now }: { from: ApplicationId; to: ApplicationId; lineage: Lineage; now: Date },
): Promise<void> {
  await removeAllOAuthKeys(tx, to);
  for (const service of lineage.source.clientSecrets.keys()) {
    const key = await openOAuthKey(tx, vault, from, service);
    if (key !== null)
      await addOAuthKey(tx, vault, to, { service, clientId: key.clientId, clientSecret: key.clientSecret, scopes: key.scopes }, now);
  }
}

async function syncWebhooks(tx: Tx, vault: Vault, { from, to, now }: { from: ApplicationId; to: ApplicationId; now: Date }): Promise<void> {
  const all = { page: 1, page_size: 1000 };
  const [wanted, held] = [(await listWebhooks(tx, from, all)).rows, (await listWebhooks(tx, to, all)).rows];
  for (const webhook of held) if (!wanted.some(({ url }) => url === webhook.url)) await deleteWebhook(tx, to, webhook.webhookId);
  for (const { url, format, events, active } of wanted) {
    const same = held.find((webhook) => webhook.url === url);
    if (same === undefined) await addWebhook(tx, vault, to, { url, format, events, active }, now);
    else await changeWebhook(tx, to, same.webhookId, { format, events, active }, now);
  }
}
