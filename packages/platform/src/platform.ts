import { fileURLToPath } from 'node:url';
import type { ApplicationId, Clock, Log, Secret } from '@bulkhead/base';
import { type AnyRoute, createEgress, createServer, type Egress, type HttpServer, httpErrors, type IncomingCall } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import { partyOf, type RequestContext } from './access/index.ts';
import {
  accountIdOf,
  accountParams,
  accountRoutes,
  appAccountRoutes,
  credentialHooks,
  findAccount,
  forgetUnconfirmedTask,
  functionAccountRoutes,
  isEndUser,
} from './accounts/index.ts';
import {
  apiKeyAuthenticator,
  applicationChildRoutes,
  applicationRoutes,
  findService,
  longestRetentionHours,
  openOAuthKey,
  retentionHours,
} from './applications/index.ts';
import {
  appendOrganizationAudit,
  auditSealer,
  type CredentialUses,
  credentialUses,
  openAuditTrail,
  provideAuditTrail,
} from './audit/index.ts';
import { authorizationErrorPage, authorizationRoutes, reconnectPusher } from './authorization/index.ts';
import type { RateLimits } from './config/index.ts';
import { deliveryWorker } from './deliveries/index.ts';
import { ensureFirstOrganization, META_SCOPES, metaTokenAuthenticator, registerMetaToken } from './developers/index.ts';
import { eventRoutes, keepPartitions } from './events/index.ts';
import { apScriptRoutes, moduleRoutes, pageRoutes } from './frames/index.ts';
import {
  FUNCTION_LIMITS_MAX,
  type FunctionLimits,
  type FunctionRunner,
  appEnvironmentRoutes,
  approvalAtInstall,
  deploymentRoutes,
  environmentRoutes,
  functionRoutes,
  installVariableRoutes,
  invocationAuthenticator,
  type JobLimits,
  jobRoutes,
  jobWorker,
  jobWriter,
  noRunner,
  queueRoutes,
  runnerRoutes,
  storageRoutes,
  webtriggerRoutes,
  webtriggerRunnerRoute,
  webtriggerSecretRoutes,
  variableRoutes,
  variableRunnerRoute,
} from './functions/index.ts';
import { forgetPast } from './forget-past.ts';
import { inboundMessageRoutes, inboundWebhookRoutes, receiveRoutes } from './inbound/index.ts';
import {
  appHostRoutes,
  appPropertyRoutes,
  appRecordRoutes,
  appRoutes,
  appWebhookDeliveries,
  dynamicModuleRoutes,
  installAuthenticator,
  installKeyRoutes,
  InstallKeys,
  installRoutes,
  lifecycleDeliveries,
  upmRoutes,
  userTokenAuthenticator,
  userTokenRoutes,
} from './installs/index.ts';
import { passthroughRoutes } from './passthrough/index.ts';
import { eraseApplicationTask, lineageRoutes, provisioningRoutes } from './provisioning/index.ts';
import {
  challengeFor,
  claimedTenant,
  healthRoutes,
  idempotencyStore,
  legacyAliases,
  openApiRoutes,
  openContext,
  partyAtAddress,
  Readiness,
  RequestRates,
} from './surfaces/index.ts';
import { taskWorker } from './tasks/index.ts';
import { bearerAuthenticator, clientAuthenticator, tokenRoutes } from './tokens/index.ts';
import { CredentialRefresher, type KeyService, type ResolveService, revokeCredentialTask, Vault } from './vault/index.ts';
import { webhookDeliveries, webhookDeliveryRoutes, webhookRoutes } from './webhooks/index.ts';

/** Where the migrations of the platform lie. */
export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../sql', import.meta.url));

export interface PlatformOptions {
  readonly db: Database;
  /** The keys outside the database, which must have been claimed for it (`claimKeys`). */
  readonly keys: KeyService;
  readonly clock: Clock;
  readonly log: Log;
  readonly host: string;
  /** Null: from the host and the port in use. */
  readonly publicUrl: string | null;
  readonly egressAllow: readonly string[];
  readonly trustProxy: readonly string[];
  /** Requests per second of one Application, or of one organization at the Meta API, by class; null: any number. */
  readonly rateLimits: RateLimits;
  /** The part of the places of each class that one Application, or organization, may hold at the same moment. Default 0.25. */
  readonly tenantShare?: number;
  /** Most accounts that one Application may hold. Default 100,000. */
  readonly accountsMax?: number;
  /** What runs functions. Default: nothing does, and calls of functions are answered 503. */
  readonly runner?: FunctionRunner;
  /** Bounds of what functions push; what is not named is as documented there. */
  readonly jobLimits?: Partial<JobLimits>;
  /** What a function may ask for at most. Default: 55 seconds, 10,000 ms of CPU, 256 MiB. */
  readonly functionLimits?: FunctionLimits;
  /** Longest duration of one call to a service while an account is connected. Default 15,000. */
  readonly connectTimeoutMs?: number;
}

/** The composition root: the only file that wires slices together. */
export interface Platform {
  readonly db: Database;
  readonly vault: Vault;
  readonly egress: Egress;
  readonly routes: readonly AnyRoute[];
  readonly server: HttpServer;
  readonly publicUrl: () => string;
  /** Where this process itself listens, whatever its public address: for the runner beside it. */
  readonly localUrl: () => string;
  /** Uses of credentials that are counted and will be written. */
  readonly uses: CredentialUses;
  /** Binds (0 = any free port) and answers the public URL. */
  listen(port: number): Promise<string>;
  /** Begins to write down, every second, which credentials were used; until then it is done when asked for, and at the end. */
  startUses(): void;
  /** Begins to run tasks and to send deliveries: what was left to be done after a commit. */
  startWorker(): Promise<void>;
  /** Runs the tasks that are due now until none is; answers how many attempts were made. For tests. */
  runDueTasks(): Promise<number>;
  /** The same for deliveries: makes the attempts that are due now, answers how many. */
  runDueDeliveries(): Promise<number>;
  /** Begins to run jobs of functions. It needs a runner; without one it does nothing. */
  startJobs(): Promise<void>;
  /** The same for jobs of functions: writes those of schedules and events, runs what is due now, answers how many attempts were made. For tests. */
  runDueJobs(): Promise<number>;
  /** Of that, the writing alone. For tests. */
  writeDueJobs(): Promise<void>;
  /**
   * `/readyz` says no from now on, tasks are no longer claimed. Where somebody has asked `/readyz` lately, requests are taken for
   * `graceMs` more (default 0). Then what runs may end, and everything closes.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

const BODY_BYTES_MAX = 1024 * 1024;
const CONNECT_TIMEOUT_MS = 15_000;
const FORGET_EVERY_MS = 10 * 60_000;

export async function createPlatform(options: PlatformOptions): Promise<Platform> {
  const { db, clock, log } = options;
  let listening = { host: options.host, port: 0 };
  const localUrl = () => `http://${listening.host.includes(':') ? `[${listening.host}]` : listening.host}:${listening.port}`;
  const publicUrl = () => options.publicUrl ?? localUrl();
  const vault = new Vault({ keys: options.keys, clock });
  provideAuditTrail(db, () => openAuditTrail(db, vault, new Date(clock.now())));
  // Behind a proxy we are reached by another name and port; a tenant's service must not be ourselves by that way either.
  const announced = options.publicUrl === null ? [] : [listenerOf(options.publicUrl)];
  const egress = createEgress({
    allow: options.egressAllow,
    ownListeners: () => (listening.port === 0 ? announced : [listening, ...announced]),
    log,
    clock,
  });
  const functionLimits = options.functionLimits ?? FUNCTION_LIMITS_MAX;
  const parts = { db, vault, egress, clock, log, publicUrl, accountsMax: options.accountsMax, functionLimits };
  const authenticateApiKey = apiKeyAuthenticator(parts);
  const resolve = resolveService(vault);
  const refresher = new CredentialRefresher({ ...parts, ...credentialHooks(), resolve });

  const uses = credentialUses(parts);
  const rates = new RequestRates(clock, options.rateLimits);
  const installKeys = new InstallKeys(parts);
  const readiness = new Readiness(parts);
  const webtriggers = {
    ...parts,
    runner: options.runner ?? noRunner,
    takeRate: (applicationId: ApplicationId, call: IncomingCall) => rates.takeOf(applicationId, { rateClass: 'webtrigger' }, call),
  };
  const declared: AnyRoute[] = [
    ...healthRoutes({ readiness }),
    ...applicationRoutes(parts),
    ...applicationChildRoutes(parts),
    ...webhookRoutes(parts),
    ...webhookDeliveryRoutes(parts),
    ...provisioningRoutes(parts),
    ...lineageRoutes(parts),
    ...accountRoutes({ ...parts, pushReconnect: reconnectPusher(parts) }),
    ...eventRoutes({
      db,
      accountIdOf,
      accountParams,
      hasAccount: async (tx, applicationId, accountId) => (await findAccount(tx, applicationId, accountId)) !== null,
      retentionHours,
    }),
    ...inboundWebhookRoutes(parts),
    ...receiveRoutes(parts),
    ...inboundMessageRoutes(parts),
    ...appRoutes(parts),
    ...installRoutes({ ...parts, installKeys, approvalAtInstall: approvalAtInstall(parts) }),
    ...installKeyRoutes({ installKeys }),
    ...appPropertyRoutes(parts),
    ...appRecordRoutes(parts),
    ...appAccountRoutes(parts),
    ...functionAccountRoutes(parts),
    ...dynamicModuleRoutes(parts),
    ...moduleRoutes(parts),
    ...pageRoutes(parts),
    ...apScriptRoutes(),
    ...appHostRoutes(parts),
    ...upmRoutes({ ...parts, installKeys, approvalAtInstall: approvalAtInstall(parts) }),
    ...userTokenRoutes({
      ...parts,
      isUser: isEndUser,
      takeRate: (principal, call) => rates.take(principal, { rateClass: 'oauth' }, call),
      recordUse: (use) => uses.record(use),
    }),
    ...deploymentRoutes({ ...parts, runner: options.runner ?? noRunner }),
    ...appEnvironmentRoutes(parts),
    ...environmentRoutes(parts),
    ...variableRoutes(parts),
    ...installVariableRoutes(parts),
    ...functionRoutes({ ...parts, runner: options.runner ?? noRunner }),
    ...webtriggerRoutes(webtriggers),
    ...webtriggerSecretRoutes(webtriggers),
    ...storageRoutes(parts),
    ...runnerRoutes(parts),
    webtriggerRunnerRoute(parts),
    ...queueRoutes({ ...parts, ...(options.jobLimits === undefined ? {} : { jobLimits: options.jobLimits }) }),
    ...jobRoutes(parts),
    variableRunnerRoute(parts),
    ...passthroughRoutes({ ...parts, refresher }),
    ...tokenRoutes(parts),
    ...authorizationRoutes({ ...parts, upstreamTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS }),
  ];
  const routes = [...declared, ...legacyAliases(declared), ...openApiRoutes(declared, publicUrl)];
  const server = await createServer<RequestContext>({
    routes,
    log,
    bodyBytesMax: BODY_BYTES_MAX,
    trustProxy: options.trustProxy,
    open: openContext({
      db,
      clock,
      log,
      uses,
      rates,
      authenticators: {
        metaToken: metaTokenAuthenticator(parts),
        apiKey: authenticateApiKey,
        bearer: bearerAuthenticator(parts),
        client: clientAuthenticator({ ...parts, authenticateApiKey }),
        install: installAuthenticator(parts),
        invocation: invocationAuthenticator(parts),
        userToken: userTokenAuthenticator(parts),
      },
    }),
    challenge: challengeFor,
    claimedBy: claimedTenant,
    partyOf: ({ principal, call }, route) => (principal === null ? partyAtAddress(call, route) : partyOf(principal)),
    ...(options.tenantShare === undefined ? {} : { admission: { share: options.tenantShare } }),
    close: (context, route) => {
      if (route.audit !== null && !context.audited)
        throw httpErrors('server_error', { detail: `${route.id} declares the audit action ${route.audit} and wrote no entry` });
      // What anybody can ask without effect spends nothing of a public client's quota.
      if (context.changed) rates.charge(context.principal, route);
    },
    idempotency: idempotencyStore(parts),
    errorPage: authorizationErrorPage(parts),
  });

  const worker = taskWorker({
    db,
    tasks: [eraseApplicationTask(parts), forgetUnconfirmedTask(parts), revokeCredentialTask({ ...parts, resolve })],
    clock,
    log,
  });

  const deliveries = deliveryWorker({
    ...parts,
    kinds: [webhookDeliveries(parts), lifecycleDeliveries({ ...parts, installKeys }), appWebhookDeliveries(parts)],
  });

  const writer = jobWriter({ ...parts, ...(options.jobLimits === undefined ? {} : { limits: options.jobLimits }) });
  const jobs = jobWorker({ ...parts, runner: options.runner ?? noRunner });

  const sealer = auditSealer(parts);
  let forgetting: NodeJS.Timeout | undefined;
  let isWorker = false;

  return {
    db,
    vault,
    egress,
    routes,
    server,
    publicUrl,
    localUrl,
    uses,
    async listen(port) {
      const bound = await server.listen(port, options.host);
      listening = { host: options.host === '0.0.0.0' ? '127.0.0.1' : options.host === '::' ? '::1' : options.host, port: bound };
      return publicUrl();
    },
    startUses: () => uses.start(),
    async startWorker() {
      const forgetAll = () => Promise.all([forgetPast(parts), keepPartitions({ db, clock, log, longestRetentionHours })]);
      await forgetAll();
      forgetting = setInterval(() => void forgetAll(), FORGET_EVERY_MS).unref();
      await Promise.all([worker.start(), deliveries.start(), writer.start()]);
      isWorker = true;
      sealer.start();
    },
    runDueTasks: () => worker.runDue(),
    runDueDeliveries: () => deliveries.runDue(),
    async startJobs() {
      if (options.runner === undefined) return;
      await jobs.start();
    },
    async runDueJobs() {
      await writer.writeDue();
      return jobs.runDue();
    },
    writeDueJobs: () => writer.writeDue(),
    async close({ graceMs = 0 } = {}) {
      clearInterval(forgetting);
      const isWatched = readiness.leave();
      // What still runs asks us for its storage.
      await Promise.all([jobs.close(), writer.close()]);
      await Promise.all([server.close({ graceMs: isWatched ? graceMs : 0 }), worker.close(), deliveries.close()]);
      await uses.close();
      if (isWorker) await sealer.close();
      await refresher.close();
      await egress.close();
    },
  };
}

function listenerOf(publicUrl: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(publicUrl);
  return { host: hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
}

/** The vault asks for a service by tenant and name; the Applications slice knows the definition and the OAuth key. */
function resolveService(vault: Vault): ResolveService {
  return async (tx, applicationId, service) => {
    const found = await findService(tx, applicationId, service);
    const key = await openOAuthKey(tx, vault, applicationId, service);
    return found === null || key === null
      ? null
      : { definition: found.service, client: { clientId: key.clientId, clientSecret: key.clientSecret } };
  };
}

/** Lets `db` be written to with audit entries, by a process that runs no platform on it. The keys are asked for at the first one. */
export function provideAuditTrailOf(db: Database, { keys, clock }: { keys: () => Promise<KeyService>; clock: Clock }): void {
  provideAuditTrail(db, async () => openAuditTrail(db, new Vault({ keys: await keys(), clock }), new Date(clock.now())));
}

/** The first organization, and the Meta token of `BULKHEAD_META_TOKEN` where one is set. */
export async function prepareFirstOrganization(db: Database, metaToken: Secret | null, now: Date): Promise<string> {
  return db.withControl('first organization', async (tx) => {
    const organizationId = await ensureFirstOrganization(tx);
    const registered = metaToken === null ? null : await registerMetaToken(tx, organizationId, metaToken, META_SCOPES, now);
    if (registered !== null)
      await appendOrganizationAudit(tx, {
        organizationId,
        actor: { kind: 'operator' },
        action: 'meta_token.issued',
        at: now,
        target: registered,
      });
    return organizationId;
  });
}
