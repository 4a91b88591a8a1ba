import { randomUUID } from 'node:crypto';
import { type ApplicationId, ManualClock, Secret, silentLog } from '@bulkhead/base';
import { createEgress, createServer, type Egress, httpErrors } from '@bulkhead/http';
import { sql } from '@bulkhead/postgres';
import { type BearerPrincipal, type Principal, RequestContext } from '../src/access/index.ts';
import { accountRoutes, confirmAccount, connectAccount, credentialHooks, findAccount } from '../src/accounts/index.ts';
import { findService } from '../src/applications/index.ts';
import { type ForwardOptions, passthroughRoutes } from '../src/passthrough/index.ts';
import type { ServiceDefinitionInput } from '../src/services/index.ts';
import { parseServiceDefinition } from '../src/services/index.ts';
import { CredentialRefresher, type NewCredential, type ResolveService, storeCredential } from '../src/vault/index.ts';
import { type TenantWorld, tenantWorld } from './tenant-world.ts';

/** Accounts and pass-through behind a real server, with credentials that the test makes up. */
export interface AccountServer extends TenantWorld {
  readonly url: string;
  readonly egress: Egress;
  readonly resolve: ResolveService;
  readonly refresher: CredentialRefresher;
  /** Header of an API key of the Application. */
  readonly apiKey: (application: ApplicationId) => Record<string, string>;
  /** Header of a token of one account. */
  readonly bearer: (application: ApplicationId, accountId: number, fields?: Partial<BearerPrincipal>) => Record<string, string>;
  readonly addService: (application: ApplicationId, definition: ServiceDefinitionInput) => Promise<void>;
  /** A live account of `service`. */
  readonly addAccount: (
    application: ApplicationId,
    service: string,
    tokens: NewCredential,
    fields?: { identity?: string; endUser?: string },
  ) => Promise<number>;
}

/** `forward` replaces times of the pass-through. */
export async function accountServer(forward: Pick<ForwardOptions, 'bodyMsMax' | 'upstreamTimes'> = {}): Promise<AccountServer> {
  const world = await tenantWorld();
  const db = world.database.database;
  const egress = createEgress({ allow: ['127.0.0.0/8'], ownListeners: () => [], log: silentLog, clock: new ManualClock() });
  const principals = new Map<string, Principal>();
  const resolve: ResolveService = async (tx, applicationId, service) => {
    const found = await findService(tx, applicationId, service);
    return found === null ? null : { definition: found.service, client: { clientId: 'us', clientSecret: new Secret('client-secret') } };
  };
  const refresher = new CredentialRefresher({
    db,
    vault: world.vault,
    clock: world.clock,
    egress,
    resolve,
    ...credentialHooks(),
    log: silentLog,
  });
  let url = '';
  const routes = [
    ...accountRoutes({
      db,
      vault: world.vault,
      publicUrl: () => url,
      pushReconnect: async (_tx, _context, accountId) => ({ url: `https://connect.example/${accountId}`, expiresIn: 600 }),
    }),
    ...passthroughRoutes({ db, egress, refresher, log: silentLog, clock: world.clock, bodyMsMax: 500, ...forward }),
  ];
  const server = await createServer<RequestContext>({
    routes,
    log: silentLog,
    bodyBytesMax: 1024 * 1024,
    trustProxy: [],
    open: async (call, route) => {
      const principal = principals.get(String(call.headers['authorization']));
      if (principal === undefined || !route.credentials.includes(principal.kind))
        throw httpErrors('unauthorized', { params: { expected: 'a test credential' } });
      const applicationId = 'applicationId' in principal ? principal.applicationId : null;
      return new RequestContext({
        requestId: call.requestId,
        principal,
        applicationId,
        now: world.now(),
        log: silentLog,
        call,
        auditAction: route.audit,
      });
    },
    close: (context, route) => {
      if (route.audit !== null && !context.audited) throw new Error(`${route.id} wrote no audit entry`);
    },
    idempotency: { begin: () => Promise.reject(new Error('not here')) } as never,
    errorPage: () => Promise.reject(new Error('not here')),
  });
  url = `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}`;

  const known = (scheme: string, principal: Principal): Record<string, string> => {
    const authorization = `${scheme} ${randomUUID()}`;
    principals.set(authorization, principal);
    return { authorization };
  };

  return {
    ...world,
    url,
    egress,
    resolve,
    refresher,
    apiKey: (applicationId) => known('APIKey', { kind: 'api_key', applicationId, apiKeyId: 'key' }),
    bearer: (applicationId, accountId, fields = {}) =>
      known('Bearer', {
        kind: 'bearer',
        applicationId,
        accountId,
        tokenHash: Buffer.alloc(32),
        scope: 'any:normal.all.default:kloudless',
        authorizationDetails: null,
        dpopJkt: null,
        endUser: null,
        expiresAt: null,
        ...fields,
      }),
    addService: (applicationId, definition) =>
      db.withTenant(applicationId, async (tx) => {
        const parsed = JSON.stringify(parseServiceDefinition(definition));
        await tx.execute(
          sql`insert into custom_services (application_id, service, definition, callback_id) values (${applicationId}, ${definition.id}, ${parsed}::jsonb, ${randomUUID()})`,
        );
      }),
    addAccount: (applicationId, service, tokens, fields = {}) =>
      db.withTenant(applicationId, async (tx) => {
        const credentialId = await storeCredential(tx, world.vault, { applicationId, service, tokens, now: world.now() });
        const name = fields.identity ?? randomUUID();
        const { accountId } = await connectAccount(tx, {
          applicationId,
          service,
          identity: { id: name, name },
          credentialId,
          effectiveScope: `${service}:normal.raw.default:kloudless`,
          grantedScopes: null,
          endUser: fields.endUser ?? null,
          customProperties: {},
          reconnectAccountId: null,
          now: world.now(),
        });
        await confirmAccount(tx, { applicationId, accountId, credentialId, now: world.now() });
        if ((await findAccount(tx, applicationId, accountId)) === null) throw new Error('the account is not live');
        return accountId;
      }),
    async [Symbol.asyncDispose]() {
      await server.close();
      await refresher.close();
      await egress.close();
      await world[Symbol.asyncDispose]();
    },
  };
}
