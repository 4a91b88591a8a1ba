import { type ApplicationId } from '@bulkhead/base';
import {
  authorized,
  connectAccount,
  type ConnectingTenant,
  type FakeUpstream,
  type HttpAnswer,
  redeemed,
  startFakeUpstream,
  World,
} from '@bulkhead/testkit';
import type { Reach, Selection } from '../src/incidents/index.ts';
import { type TokenEndpoint, tokenEndpoint } from './token-endpoint.ts';

/** Everything we issued for one account, each of its kinds. */
export interface Issued {
  readonly applicationId: ApplicationId;
  readonly apiKey: string;
  readonly service: string;
  readonly accountId: number;
  readonly access: string;
  /** Exchanged from `access`. */
  readonly child: string;
  /** Exchanged from the API key. */
  readonly ofKey: string;
  readonly refresh: string;
}

export const EVERYTHING: Selection = { applicationId: null, service: null, before: null };
export const WITH_UPSTREAM: Reach = { upstream: true };
export const OURS_ONLY: Reach = { upstream: false };

/** Tenants with two services alike, in two processes; the upstream's revocation endpoint is the test's to answer. */
export class IncidentWorld implements AsyncDisposable {
  readonly world: World;
  readonly upstream: FakeUpstream;
  readonly endpoint: TokenEndpoint;
  /** Where the two processes answer. */
  readonly urls: readonly string[];
  readonly startWorkers: () => Promise<void>;

  private constructor(world: World, upstream: FakeUpstream, endpoint: TokenEndpoint, other: Awaited<ReturnType<World['beside']>>) {
    this.world = world;
    this.upstream = upstream;
    this.endpoint = endpoint;
    this.urls = [world.url, other.url];
    this.startWorkers = async () => {
      await world.platform.startWorker();
      await other.platform.startWorker();
    };
  }

  static async create(): Promise<IncidentWorld> {
    const upstream = await startFakeUpstream();
    const endpoint = await tokenEndpoint();
    const world = await World.create({ egressAllow: [upstream.address, new URL(endpoint.url).host] });
    return new IncidentWorld(world, upstream, endpoint, await world.beside());
  }

  /** An Application with two services alike, or others: `pier` is all the test's own. */
  async tenant(name: string, services: readonly string[] = ['harbour', 'quay']): Promise<ConnectingTenant> {
    const { id, apiKey } = await this.world.application({ name });
    const redirectUrl = `https://${name}.example/callback`;
    await this.meta(`/applications/${id}/redirect_uris`, { url: redirectUrl });
    const pier = { base_url: `${this.endpoint.url}/api`, token_endpoint: `${this.endpoint.url}/token` };
    for (const service of services) {
      const described = this.upstream.oauthService(service, service) as { auth: object; api: object };
      const auth = { ...described.auth, revocation_endpoint: `${this.endpoint.url}/revoke` };
      await this.meta(
        `/applications/${id}/services`,
        service === 'pier'
          ? { ...described, auth: { ...auth, token_endpoint: pier.token_endpoint }, api: { base_url: pier.base_url } }
          : { ...described, auth },
      );
      await this.meta(`/applications/${id}/oauth_keys`, { service, client_id: 'us', client_secret: 'client-secret' });
    }
    return { applicationId: id as ApplicationId, apiKey, redirectUrl, canary: name };
  }

  /** An account with a token of each kind. */
  async issued(tenant: ConnectingTenant, service: string, person = 'ada'): Promise<Issued> {
    const { applicationId, apiKey } = tenant;
    const connecting = { service, person: { id: person, name: `${person}@upstream.example` } };
    const granted = await connectAccount(this.world, this.upstream, tenant, connecting);
    const { account_id: accountId, access_token: access, refresh_token: refresh } = granted;
    const child = await this.exchanged(apiKey, {
      subject_token: access,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    const ofKey = await this.exchanged(apiKey, {
      subject_token: apiKey,
      subject_token_type: 'urn:bulkhead:token-type:api-key',
      account_id: String(accountId),
      expires_in: '86400',
    });
    return { applicationId, apiKey, service, accountId, access, child, ofKey, refresh };
  }

  /** An account taken over with tokens of the test's own endpoint. */
  async imported(tenant: ConnectingTenant, fields: Record<string, unknown>): Promise<number> {
    const body = { service: 'pier', account: 'grace', token: 'access-1', refresh_token: 'refresh-1', ...fields };
    const answer = await this.world.call('POST', '/v1/accounts', { headers: { authorization: `APIKey ${tenant.apiKey}` }, body });
    if (answer.status !== 201) throw new Error(answer.text);
    return answer.json.id;
  }

  /** A code that nobody has redeemed yet, and how to. */
  async code(tenant: ConnectingTenant, service: string, person: string): Promise<() => ReturnType<typeof redeemed>> {
    const code = await authorized(this.world, this.upstream, tenant, { service, person: { id: person, name: person } });
    return () => redeemed(this.world, tenant, code);
  }

  async exchanged(apiKey: string, fields: Record<string, string>): Promise<string> {
    const answer = await this.token(apiKey, { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', ...fields });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.json.access_token;
  }

  token(apiKey: string, form: Record<string, string>, url = this.world.url): Promise<HttpAnswer> {
    return this.world.call('POST', `${url}/v1/oauth/token`, {
      headers: { authorization: `APIKey ${apiKey}` },
      body: new URLSearchParams(form),
    });
  }

  /** In both processes: how each of the three access tokens and a pass-through call by API key are answered. */
  async worth({ apiKey, accountId, access, child, ofKey }: Issued): Promise<{ readonly tokens: number[]; readonly upstream: number[] }> {
    const each = this.urls.flatMap((url) => [access, child, ofKey].map((token) => ({ url, token })));
    return {
      tokens: await Promise.all(each.map(async ({ url, token }) => (await this.show(`${url}/v1/accounts/me`, `Bearer ${token}`)).status)),
      upstream: await Promise.all(
        this.urls.map(async (url) => (await this.show(`${url}/v1/accounts/${accountId}/proxy/echo`, `APIKey ${apiKey}`)).status),
      ),
    };
  }

  show(url: string, authorization: string): Promise<HttpAnswer> {
    return this.world.call('GET', url, { headers: { authorization } });
  }

  /** What the revocation endpoint was told, in order. */
  told(): (string | null)[] {
    return this.endpoint.requests.filter(({ path }) => path === '/revoke').map(({ form }) => form.get('token'));
  }

  private async meta(path: string, body: unknown): Promise<void> {
    const answer = await this.world.meta('POST', path, body);
    if (answer.status !== 201) throw new Error(answer.text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.endpoint[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
  }
}
