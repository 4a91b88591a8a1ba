import { World } from '@bulkhead/testkit';
import { MisbehavingProvider } from './misbehaving-provider.ts';
import { type Left, leftBy } from './stored-rows.ts';
import { type PageAnswer, Visitor } from './visitor.ts';
import { type ConnectApplication, pkce, REDIRECT_URI } from './connect-world.ts';

/** Long enough for an honest answer on a busy machine. */
const TIMEOUT_MS = 4_000;

/** A platform whose only service is a provider that does what it should not. */
export class HostileWorld implements AsyncDisposable {
  readonly world: World;
  readonly provider: MisbehavingProvider;
  readonly pair = pkce();

  private constructor(world: World, provider: MisbehavingProvider) {
    this.world = world;
    this.provider = provider;
  }

  static async create(): Promise<HostileWorld> {
    const provider = await MisbehavingProvider.start();
    return new HostileWorld(await World.create({ egressAllow: [provider.address], connectTimeoutMs: TIMEOUT_MS }), provider);
  }

  /** An Application with one service of the provider. */
  async application(
    service: { readonly id: string } & Readonly<Record<string, unknown>>,
    fields: Record<string, unknown> = {},
  ): Promise<ConnectApplication> {
    const { id, apiKey } = await this.world.application({ name: 'Northwind', redirect_uris: [REDIRECT_URI], ...fields });
    const key = { service: service.id, client_id: this.provider.clientId, client_secret: this.provider.clientSecret };
    for (const [path, body] of [
      ['services', service],
      ['oauth_keys', key],
    ] as const) {
      const answer = await this.world.meta('POST', `/applications/${id}/${path}`, body);
      if (answer.status !== 201) throw new Error(`${path}: ${answer.text}`);
    }
    return { id, apiKey };
  }

  startUrl(application: Pick<ConnectApplication, 'id'>, parameters: Record<string, string> = {}): string {
    const query = new URLSearchParams({
      client_id: application.id,
      response_type: 'code',
      redirect_uri: REDIRECT_URI,
      state: 'client-state',
      code_challenge: this.pair.challenge,
      code_challenge_method: 'S256',
      ...parameters,
    });
    return `${this.world.url}/v1/oauth?${query.toString()}`;
  }

  /** The way of one person: to the provider, through its sign-in, back to us. */
  async connect(
    application: Pick<ConnectApplication, 'id'>,
    visitor = new Visitor(),
    from = this.startUrl(application),
  ): Promise<PageAnswer> {
    const begun = await visitor.get(from);
    // Refused before it left: there is no way to go on.
    if (!begun.location.startsWith(this.provider.url)) return begun;
    return visitor.get((await visitor.get(begun.location)).location);
  }

  redeem(application: ConnectApplication, location: string, fields: Record<string, string> = {}) {
    const body = new URLSearchParams({
      grant_type: 'authorization_code',
      code: new URL(location).searchParams.get('code') ?? '',
      redirect_uri: REDIRECT_URI,
      code_verifier: this.pair.verifier,
      ...fields,
    });
    return this.world.call('POST', '/v1/oauth/token', { body, headers: { authorization: `APIKey ${application.apiKey}` } });
  }

  async account(application: ConnectApplication, id: number, query = '') {
    return this.world.call('GET', `/v1/accounts/${id}${query}`, { headers: { authorization: `APIKey ${application.apiKey}` } });
  }

  async reconnectUrl(application: ConnectApplication, id: number, body: Record<string, unknown> = {}): Promise<string> {
    const headers = { authorization: `APIKey ${application.apiKey}` };
    const answer = await this.world.call('POST', `/v1/accounts/${id}/reconnect`, { headers, body });
    if (answer.status !== 201) throw new Error(answer.text);
    return answer.json.url;
  }

  /** See `leftBy`. */
  leftBy(step: () => Promise<unknown>): Promise<Left> {
    return leftBy(this.world, step);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.provider[Symbol.asyncDispose]();
  }
}
