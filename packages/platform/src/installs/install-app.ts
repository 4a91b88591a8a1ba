import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, defineId, PlatformError } from '@bulkhead/base';
import type { Egress } from '@bulkhead/http';
import type { Database, TenantTx } from '@bulkhead/postgres';
import { effectiveScopes, type AppScope } from '@bulkhead/protocol';
import type { MetaTokenPrincipal, RequestContext } from '../access/index.ts';
import { appendUpdated } from '../applications/index.ts';
import { appendAudit, audit } from '../audit/index.ts';
import { type Attempt, quietDeliveries, recordDelivery, sendSigned } from '../deliveries/index.ts';
import type { Vault } from '../vault/index.ts';
import type { App, AppInstall } from './app.ts';
import { findApp, holdApp } from './app-store.ts';
import { installErrors } from './install-errors.ts';
import type { InstallKeys } from './install-keys.ts';
import { abandonHandshake, beginHandshake, completeHandshake, findAnyInstall, type Handshake } from './install-store.ts';
import { lifecycleEndpoint, lifecyclePayload, tenantBaseUrl } from './lifecycle-call.ts';
import { LATER_EVENTS, type LaterEvent, LIFECYCLE_KIND, lifecycleLane, tellLater } from './lifecycle-deliveries.ts';

export interface InstallingParts {
  readonly db: Database;
  readonly vault: Vault;
  readonly egress: Egress;
  readonly clock: Clock;
  readonly installKeys: InstallKeys;
  readonly publicUrl: () => string;
  /** What is approved with an install beside the scopes of its App: asked before, done in its transaction, which tells the audit log. */
  readonly approvalAtInstall: (
    organizationId: string,
    appKey: string,
  ) => Promise<(tx: TenantTx, install: AppInstall, now: Date) => Promise<readonly string[]>>;
}

/** The whole call to an App, which a person waits for. */
const INSTALL_TIMEOUT_MS = 10_000;
/** How long a call that is on its way to the App is waited for. */
const QUIET_MS_MAX = 3_000;
const QUIET_STEP_MS = 100;
/** By then it has ended. */
const QUIET_RETRY_SECONDS = 15;
const callId = defineId('lfc');

/**
 * Installs an App into an Application, or installs it again: a new secret is sent to the App while nothing of the database is held, and
 * counts once the App has said 2xx. Anything else leaves everything as it was. Throws `install.*`.
 */
export async function installApp(
  parts: InstallingParts,
  context: RequestContext<MetaTokenPrincipal>,
  { appKey, scopes }: { appKey: string; scopes: readonly AppScope[] },
): Promise<{ install: AppInstall; isNew: boolean }> {
  const { db, vault } = parts;
  const { applicationId, principal, now } = context;
  const app = await db.withOrganization(principal.organizationId, (tx) => findApp(tx, principal.organizationId, appKey));
  if (app === null) throw installErrors('install.app_unknown', { field: 'app_key' });
  assertConsent(app, scopes);
  const handshake = await db.withTenant(applicationId, (tx) => beginHandshake(tx, vault, { applicationId, appKey, now }));
  const takenBack: LaterEvent[] = [];
  try {
    // Whoever removes it waits for this, or has been waited for: one of the two sees the other.
    const isRegistered = await db.withOrganization(principal.organizationId, (tx) => holdApp(tx, principal.organizationId, appKey));
    if (isRegistered === null) throw installErrors('install.app_unknown', { field: 'app_key' });
    const approve = await parts.approvalAtInstall(principal.organizationId, appKey);
    await quietLifecycle(parts, context, { appKey, clientKey: handshake.clientKey }, takenBack);
    const attempt = await callInstalled(parts, context, app, handshake);
    if (attempt !== null) await noteInstalled(db, context, handshake.clientKey, attempt);
    if (attempt !== null && attempt.failure !== null) throw refusal(appKey, attempt);
    return await db.withTenant(applicationId, async (tx) => {
      const install = await completeHandshake(tx, vault, { applicationId, handshake, descriptor: app.descriptor, now });
      if (install === null) throw installErrors('install.busy', { params: { app_key: appKey } });
      const permissions = await approve(tx, install, now);
      const { clientKey, scopes: granted } = install;
      await audit(tx, context, { target: appKey, detail: { client_key: clientKey, scopes: granted, permissions } });
      await appendUpdated(tx, context, ['installs']);
      await tellLater(tx, parts, install, ['enabled'], now);
      return { install, isNew: install.generation === 1 };
    });
  } catch (thrown) {
    await db.withTenant(applicationId, async (tx) => {
      await abandonHandshake(tx, applicationId, handshake);
      // What it was to hear is still true.
      const before = takenBack.length === 0 ? null : await findAnyInstall(tx, applicationId, appKey);
      if (before !== null) await tellLater(tx, parts, before, takenBack, now);
      await appendAudit(tx, {
        applicationId,
        actor: context.actor,
        action: 'install.refused',
        at: now,
        requestId: context.requestId,
        target: appKey,
        detail: { reason: thrown instanceof PlatformError ? thrown.code : 'failed' },
      });
    });
    throw thrown;
  }
}

/**
 * Sees to it that nothing of the state before reaches the App after it was told of the install: what waits is taken back, what is on its
 * way is waited for. Throws `install.busy` where that takes too long.
 */
async function quietLifecycle(
  { db }: InstallingParts,
  { applicationId, now }: RequestContext,
  { appKey, clientKey }: { appKey: string; clientKey: string },
  takenBack: LaterEvent[],
): Promise<void> {
  const lanes = LATER_EVENTS.map((event) => lifecycleLane(clientKey, event));
  for (let waitedMs = 0; ; waitedMs += QUIET_STEP_MS) {
    const { cancelled, underWay } = await db.withTenant(applicationId, (tx) => quietDeliveries(tx, applicationId, lanes, now));
    takenBack.push(...LATER_EVENTS.filter((event) => cancelled.includes(event)));
    if (underWay === 0) return;
    if (waitedMs >= QUIET_MS_MAX)
      throw installErrors('install.busy', { params: { app_key: appKey }, retryAfterSeconds: QUIET_RETRY_SECONDS });
    await sleep(QUIET_STEP_MS);
  }
}

/** The log of calls to the App has this one too, whatever came of it. */
async function noteInstalled(db: Database, { applicationId, now }: RequestContext, clientKey: string, attempt: Attempt): Promise<void> {
  const endpointId = lifecycleLane(clientKey, 'installed');
  await db.withTenant(applicationId, (tx) =>
    recordDelivery(tx, { applicationId, kind: LIFECYCLE_KIND, endpointId, subject: 'installed', attempt, now }),
  );
}

/** Consent is to exactly what the App asks for: less would leave it half working, more nobody has asked for. */
function assertConsent({ appKey, descriptor }: App, scopes: readonly AppScope[]): void {
  const [asked, given] = [effectiveScopes(descriptor.scopes), effectiveScopes(scopes)];
  if (asked.size === given.size && [...asked].every((scope) => given.has(scope))) return;
  const text = descriptor.scopes.length === 0 ? 'none' : descriptor.scopes.join(', ');
  throw installErrors('install.scopes_differ', { params: { app_key: appKey, asked: text }, field: 'scopes' });
}

/** Null where the App wants no token and has no hook. */
async function callInstalled(
  { egress, clock, installKeys, publicUrl }: InstallingParts,
  { applicationId }: RequestContext,
  { appKey, descriptor }: App,
  { clientKey, sharedSecret }: Handshake,
): Promise<Attempt | null> {
  const isSigned = descriptor.authentication.type === 'jwt';
  const endpoint = lifecycleEndpoint(
    { baseUrl: descriptor.baseUrl, path: descriptor.lifecycle?.installed, clientKey },
    isSigned ? await installKeys.signing() : null,
    [sharedSecret],
  );
  if (endpoint === null) return null;
  const hostUrl = tenantBaseUrl(publicUrl(), applicationId);
  const { attempt } = await sendSigned(
    { egress, clock },
    {
      applicationId,
      policy: 'descriptor',
      endpoint,
      message: {
        messageId: callId.generate(),
        subject: 'installed',
        contentType: 'application/json',
        body: lifecyclePayload('installed', { appKey, clientKey, hostUrl, ...(isSigned ? { sharedSecret } : {}) }),
      },
      timeoutMs: INSTALL_TIMEOUT_MS,
    },
  );
  return attempt;
}

const WORDS: Readonly<Record<string, string>> = {
  timeout: `it did not answer within ${INSTALL_TIMEOUT_MS / 1_000} seconds`,
  unreachable: 'it gave no usable answer',
  refused: 'its address may not be called',
};

function refusal(appKey: string, { status, failure, excerpt }: Attempt): Error {
  const said = excerpt === null ? '' : `: ${excerpt.replaceAll(/\s+/g, ' ').slice(0, 200)}`;
  const answer = status === null ? (WORDS[failure ?? ''] ?? 'it gave no usable answer') : `it answered HTTP ${status}${said}`;
  return installErrors('install.refused', { params: { app_key: appKey, answer } });
}
