import { type ApplicationId, applicationId as applicationIds, Secret } from '@bulkhead/base';
import type { Egress } from '@bulkhead/http';
import type { Database, Tx } from '@bulkhead/postgres';
import type { z } from 'zod';
import type { MetaTokenPrincipal, RequestContext } from '../access/index.ts';
import {
  addOAuthKey,
  addRedirectUri,
  addTrustedDomain,
  applicationChanges,
  applicationErrors,
  type ApplicationSettings,
  brandingChanges,
  cloneApplication,
  cloneCustomServices,
  cloneOAuthKeys,
  cloneRedirectUris,
  cloneTrustedDomains,
  eventSettingsChanges,
  getApplicationSettings,
  insertApplication,
  issueApiKey,
  lockCloneSource,
  requireOAuthService,
  updateApplication,
  updateBranding,
  updateEventSettings,
} from '../applications/index.ts';
import { auditOrganization, appendAudit } from '../audit/index.ts';
import { appendEvent } from '../events/index.ts';
import type { Vault } from '../vault/index.ts';
import { addWebhook, cloneWebhooks } from '../webhooks/index.ts';
import type { createApplicationBody } from './provisioning-messages.ts';

export interface ProvisioningParts {
  readonly db: Database;
  readonly vault: Vault;
  readonly egress: Egress;
}

export interface CreatedApplication {
  readonly settings: ApplicationSettings;
  readonly apiKey: { readonly id: string; readonly secret: Secret };
}

type Body = z.output<typeof createApplicationBody>;

/**
 * Creates an Application, empty or as a deep copy of `source`, in one transaction: it exists whole or not at all. Copied:
 * settings, OAuth keys (sealed anew under the clone's own data key), redirect URIs, trusted domains, webhooks (new
 * secrets), event settings, branding, custom services, enabled services. Never: accounts, tokens, API keys, webhook
 * secrets, the custom redirect domain. Fields of the body override what was copied; a list given replaces the copied one.
 */
export async function createApplication(
  parts: ProvisioningParts,
  context: RequestContext<MetaTokenPrincipal>,
  body: Body,
): Promise<CreatedApplication> {
  const to = applicationIds.generate();
  context.concerns(to);
  const { organizationId } = context.principal;
  // Two Applications are seen at once: the system role alone may. Every statement names the tenant it reads or writes.
  return parts.db.withSystem('create an Application from its source', async (tx) => {
    if (body.source === undefined) {
      await insertApplication(tx, {
        applicationId: to,
        organizationId,
        changes: { ...applicationChanges(body), name: body.name },
        source: null,
        now: context.now,
      });
      await (await parts.vault.createFirstDataKey(tx, to)).written;
    } else {
      await copyConfiguration(parts, tx, context, { from: body.source as ApplicationId, to, body });
    }
    await applyOverrides(parts, tx, context, to, body);
    const { source } = body;
    const target = { target: to, detail: source === undefined ? {} : { source } };
    const { actor, now: at, requestId } = context;
    const [{ apiKey, secret }, settings] = await Promise.all([
      issueApiKey(tx, to, at),
      getApplicationSettings(tx, to),
      appendAudit(tx, { applicationId: to, actor, action: 'application.created', at, requestId, ...target }),
      auditOrganization(tx, context, organizationId, target),
      source === undefined
        ? undefined
        : appendEvent(tx, { applicationId: to, accountId: null, type: 'application.cloned', at, data: { source } }),
    ]);
    return { settings: settings!, apiKey: { id: apiKey.apiKeyId, secret } };
  });
}

async function copyConfiguration(
  { vault }: ProvisioningParts,
  tx: Tx,
  context: RequestContext<MetaTokenPrincipal>,
  { from, to, body }: { from: ApplicationId; to: ApplicationId; body: Body },
): Promise<void> {
  const { organizationId } = context.principal;
  if (!(await lockCloneSource(tx, from, organizationId))) throw applicationErrors('application.unknown_source', { field: 'source' });
  const copy = { from, to, now: context.now };
  // Sent one behind the other without waiting for answers: what refers to the Application comes after it.
  const nothing = Promise.resolve();
  const copied = cloneApplication(tx, { ...copy, name: body.name });
  const key = vault.createFirstDataKey(tx, to);
  const sealing = key.then(({ seal }) => seal);
  await Promise.all([
    copied,
    key.then(({ written }) => written),
    cloneCustomServices(tx, copy),
    cloneOAuthKeys(tx, vault, { ...copy, sealing, except: (body.oauth_keys ?? []).map(({ service }) => service) }),
    body.redirect_uris === undefined ? cloneRedirectUris(tx, copy) : nothing,
    body.trusted_domains === undefined ? cloneTrustedDomains(tx, copy) : nothing,
    body.webhooks === undefined ? cloneWebhooks(tx, { ...copy, sealing }) : nothing,
  ]);
}

async function applyOverrides(
  { vault, egress }: ProvisioningParts,
  tx: Tx,
  context: RequestContext<MetaTokenPrincipal>,
  to: ApplicationId,
  body: Body,
): Promise<void> {
  const { now } = context;
  const { name: _, ...changes } = applicationChanges(body);
  if (body.source !== undefined && Object.values(changes).some((value) => value !== undefined))
    await updateApplication(tx, to, changes, now);
  if (body.branding) await updateBranding(tx, to, brandingChanges(body.branding));
  if (body.event_settings) await updateEventSettings(tx, to, eventSettingsChanges(body.event_settings), now);
  for (const url of body.redirect_uris ?? []) await addRedirectUri(tx, to, url, now);
  for (const domain of body.trusted_domains ?? []) await addTrustedDomain(tx, to, domain, now);
  for (const key of body.oauth_keys ?? []) {
    await requireOAuthService(tx, to, key.service);
    const clientSecret = key.client_secret === undefined ? null : new Secret(key.client_secret);
    await addOAuthKey(tx, vault, to, { service: key.service, clientId: key.client_id, clientSecret, scopes: key.scopes ?? null }, now);
  }
  for (const webhook of body.webhooks ?? []) {
    egress.checkUrl(webhook.url, 'webhook', 'webhooks');
    await addWebhook(tx, vault, to, { ...webhook, events: webhook.events ?? null }, now);
  }
}
