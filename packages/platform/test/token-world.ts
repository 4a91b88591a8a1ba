import { createHash, randomBytes } from 'node:crypto';
import { type ApplicationId, Secret, silentLog } from '@bulkhead/base';
import { createServer, type HttpServer } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { RequestContext } from '../src/access/index.ts';
import { confirmAccount, connectAccount } from '../src/accounts/index.ts';
import { apiKeyAuthenticator, issueApiKey, updateApplication } from '../src/applications/index.ts';
import { challengeFor } from '../src/surfaces/challenge.ts';
import { openContext } from '../src/surfaces/open-context.ts';
import { bearerAuthenticator, clientAuthenticator, issueAuthorizationCode, tokenRoutes } from '../src/tokens/index.ts';
import { storeCredential } from '../src/vault/index.ts';
import { type TenantWorld, tenantWorld } from './tenant-world.ts';

export const REDIRECT_URI = 'https://client.example/callback';
export const ACCOUNT_SCOPE = 'gdrive:normal.storage.default:kloudless';

export interface TestClient {
  readonly id: ApplicationId;
  readonly apiKey: string;
  readonly apiKeyId: string;
}

export interface TestAccount {
  readonly accountId: number;
  readonly credentialId: string;
}

export interface OAuthAnswer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape.
  readonly json: any;
}

/** A pair as RFC 7636 wants it. */
export function pkcePair(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** The back channel of the authorization server, served over HTTP from a database of its own. */
export class TokenWorld implements AsyncDisposable {
  readonly tenants: TenantWorld;
  readonly db: Database;
  readonly url: string;
  readonly #server: HttpServer;

  private constructor(tenants: TenantWorld, server: HttpServer, url: string) {
    this.tenants = tenants;
    this.db = tenants.database.database;
    this.#server = server;
    this.url = url;
  }

  /** `db`: another pool on the same database makes a second process of it. `publicUrl`: as if behind a proxy; default: where it listens. */
  static async create(
    options: { readonly tenants?: TenantWorld; readonly db?: Database; readonly publicUrl?: string } = {},
  ): Promise<TokenWorld> {
    const tenants = options.tenants ?? (await tenantWorld());
    const { clock } = tenants;
    const db = options.db ?? tenants.database.database;
    let url = '';
    const parts = { db, clock, log: silentLog, publicUrl: () => options.publicUrl ?? url, authenticateApiKey: apiKeyAuthenticator({ db }) };
    const server = await createServer<RequestContext>({
      routes: tokenRoutes(parts),
      log: silentLog,
      bodyBytesMax: 65_536,
      trustProxy: [],
      open: openContext({
        ...parts,
        uses: { record: () => undefined, recordOf: () => undefined },
        rates: { take: () => undefined },
        authenticators: {
          metaToken: async () => null,
          apiKey: parts.authenticateApiKey,
          bearer: bearerAuthenticator(parts),
          client: clientAuthenticator(parts),
          install: async () => null,
          invocation: async () => null,
          userToken: async () => null,
        },
      }),
      challenge: challengeFor,
      close: (context, route) => {
        if (route.audit !== null && !context.audited) throw new Error(`${route.id} wrote no audit entry`);
      },
      idempotency: {
        claim: async () => ({ kind: 'first' }),
        complete: async () => undefined,
        release: async () => undefined,
      },
      errorPage: async (error) => ({ status: error.status, body: error.publicText }),
    });
    url = `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}`;
    return new TokenWorld(tenants, server, url);
  }

  get now(): Date {
    return this.tenants.now();
  }

  advance(seconds: number): void {
    this.tenants.clock.advance(seconds * 1000);
  }

  async client(changes: { pkceRequired?: boolean } = {}): Promise<TestClient> {
    const id = await this.tenants.application();
    const { apiKey, secret } = await this.db.withTenant(id, async (tx) => {
      await updateApplication(tx, id, changes, this.now);
      return issueApiKey(tx, id, this.now);
    });
    return { id, apiKey: secret.reveal(), apiKeyId: apiKey.apiKeyId };
  }

  /** A connect flow that has come to its end: the account waits for its code to be redeemed. */
  async connected(client: TestClient, fields: { endUser?: string; scope?: string; live?: boolean } = {}): Promise<TestAccount> {
    const { id: applicationId } = client;
    const { now } = this;
    return this.db.withTenant(applicationId, async (tx) => {
      const tokens = { accessToken: new Secret('upstream'), kept: {} };
      const credentialId = await storeCredential(tx, this.tenants.vault, { applicationId, service: 'gdrive', tokens, now });
      const { accountId } = await connectAccount(tx, {
        applicationId,
        service: 'gdrive',
        identity: { id: randomBytes(8).toString('hex'), name: 'ada@example.com' },
        credentialId,
        effectiveScope: fields.scope ?? ACCOUNT_SCOPE,
        grantedScopes: null,
        endUser: fields.endUser ?? null,
        customProperties: {},
        reconnectAccountId: null,
        now,
      });
      if (fields.live) await confirmAccount(tx, { applicationId, accountId, credentialId, now });
      return { accountId, credentialId };
    });
  }

  async code(
    client: TestClient,
    account: TestAccount,
    fields: { codeChallenge?: string | null; endUser?: string; scope?: string; redirectUri?: string } = {},
  ): Promise<string> {
    const secret = await this.db.withTenant(client.id, (tx) =>
      issueAuthorizationCode(tx, {
        applicationId: client.id,
        ...account,
        redirectUri: fields.redirectUri ?? REDIRECT_URI,
        codeChallenge: fields.codeChallenge ?? null,
        scope: fields.scope ?? ACCOUNT_SCOPE,
        endUser: fields.endUser ?? null,
        dpopJkt: null,
        now: this.now,
      }),
    );
    return secret.reveal();
  }

  /** A POST of a form; `undefined` parameters are left out. */
  async post(
    path: string,
    parameters: Record<string, string | number | undefined>,
    headers: Record<string, string> = {},
  ): Promise<OAuthAnswer> {
    const body = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) body.set(name, String(value));
    return this.send(path, { method: 'POST', body, headers });
  }

  token(parameters: Record<string, string | number | undefined>, headers: Record<string, string> = {}): Promise<OAuthAnswer> {
    return this.post('/v1/oauth/token', parameters, headers);
  }

  async send(path: string, init: RequestInit): Promise<OAuthAnswer> {
    const answer = await fetch(this.url + path, init);
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, json: text === '' ? undefined : JSON.parse(text) };
  }

  verify(token: string): Promise<OAuthAnswer> {
    return this.send('/v1/oauth/token', { headers: { authorization: `Bearer ${token}` } });
  }

  async isLive(token: string): Promise<boolean> {
    return (await this.verify(token)).status === 200;
  }

  /** Redeems a fresh code with PKCE as an authenticated client. */
  async grant(
    client: TestClient,
    fields: { endUser?: string } = {},
  ): Promise<{ account: TestAccount; accessToken: string; refreshToken: string }> {
    const account = await this.connected(client, fields);
    const { verifier, challenge } = pkcePair();
    const code = await this.code(client, account, { codeChallenge: challenge, ...fields });
    const answer = await this.token(
      { grant_type: 'authorization_code', code, redirect_uri: REDIRECT_URI, code_verifier: verifier, end_user: fields.endUser },
      { authorization: `APIKey ${client.apiKey}` },
    );
    if (answer.status !== 200) throw new Error(`no grant: ${JSON.stringify(answer.json)}`);
    return { account, accessToken: answer.json.access_token, refreshToken: answer.json.refresh_token };
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.tenants[Symbol.asyncDispose]();
  }
}
