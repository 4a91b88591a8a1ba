import type { ApplicationId } from '@bulkhead/base';
import {
  type FakeUpstream,
  type HttpAnswer,
  HttpBrowser,
  pkcePair,
  startFakeUpstream,
  type Visit,
  World,
  type WorldOptions,
} from '@bulkhead/testkit';

export const REDIRECT_URI = 'https://client.example/callback?kept=1';
export const SERVICE = 'harbour';

export interface Client {
  readonly id: ApplicationId;
  readonly key: string;
}

export type Fields = Readonly<Record<string, string | undefined>>;

/** An authorization server with one client, one service and a person who allows everything. */
export class OAuthWorld implements AsyncDisposable {
  readonly world: World;
  readonly upstream: FakeUpstream;
  readonly client: Client;

  private constructor(world: World, upstream: FakeUpstream, client: Client) {
    this.world = world;
    this.upstream = upstream;
    this.client = client;
  }

  static async create(options: Pick<WorldOptions, 'database'> = {}): Promise<OAuthWorld> {
    const upstream = await startFakeUpstream();
    const world = await World.create({ egressAllow: [upstream.address], ...options });
    return new OAuthWorld(world, upstream, await newClient(world, upstream));
  }

  /** Another client, alike. */
  another(fields: Record<string, unknown> = {}): Promise<Client> {
    return newClient(this.world, this.upstream, fields);
  }

  /** The authorization endpoint as a browser sees it. Fields that are undefined are left out. */
  async authorize(
    fields: Fields,
    browser = new HttpBrowser(this.world.url, this.upstream.url),
  ): Promise<Visit & { readonly answer: URLSearchParams; readonly fragment: URLSearchParams }> {
    const visit = await browser.open(
      `${this.world.url}/v1/oauth?${present({ client_id: this.client.id, redirect_uri: REDIRECT_URI, response_type: 'code', scope: SERVICE, state: 'xyz', ...fields })}`,
    );
    const url = new URL(visit.url);
    return { ...visit, answer: url.searchParams, fragment: new URLSearchParams(url.hash.slice(1)) };
  }

  /** A code and the verifier it was asked for with. */
  async code(fields: Fields = {}): Promise<{ code: string; verifier: string }> {
    const { verifier, challenge } = pkcePair();
    const { answer, text } = await this.authorize({ code_challenge: challenge, code_challenge_method: 'S256', ...fields });
    const code = answer.get('code');
    if (code === null) throw new Error(`no code: ${answer} ${text.slice(0, 500)}`);
    return { code, verifier };
  }

  /** A POST of a form as this client; `null` sends no Authorization. */
  post(path: string, fields: Fields, client: Client | null = this.client): Promise<HttpAnswer> {
    return this.world.call('POST', path, { headers: client === null ? {} : basic(client.id, client.key), body: present(fields) });
  }

  token(fields: Fields, client: Client | null = this.client): Promise<HttpAnswer> {
    return this.post('/v1/oauth/token', fields, client);
  }

  redeem(code: string, verifier: string | undefined, fields: Fields = {}, client: Client | null = this.client): Promise<HttpAnswer> {
    return this.token({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT_URI, ...fields }, client);
  }

  /** Tokens of a new grant. */
  async grant(): Promise<{ access_token: string; refresh_token: string; scope: string; account_id: number; expires_in: number }> {
    const { code, verifier } = await this.code();
    const answer = await this.redeem(code, verifier);
    if (answer.status !== 200) throw new Error(`no grant: ${answer.text}`);
    return answer.json;
  }

  async isLive(token: string): Promise<boolean> {
    return (await this.world.call('GET', '/v1/oauth/token', { headers: { authorization: `Bearer ${token}` } })).status === 200;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
  }
}

export function basic(id: string, secret: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}` };
}

function present(fields: Fields): URLSearchParams {
  return new URLSearchParams(Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined));
}

async function newClient(world: World, upstream: FakeUpstream, fields: Record<string, unknown> = {}): Promise<Client> {
  const { id, apiKey } = await world.application(fields);
  const add = async (path: string, body: unknown): Promise<void> => {
    const answer = await world.meta('POST', `/applications/${id}/${path}`, body);
    if (answer.status !== 201) throw new Error(`${path}: ${answer.text}`);
  };
  await add('redirect_uris', { url: REDIRECT_URI });
  await add('services', upstream.oauthService(SERVICE, 'Harbour'));
  await add('oauth_keys', { service: SERVICE, client_id: 'bulkhead', client_secret: 'upstream client secret' });
  return { id: id as ApplicationId, key: apiKey };
}
