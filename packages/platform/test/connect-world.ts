import { createHash, randomBytes } from 'node:crypto';
import { World, type WorldOptions } from '@bulkhead/testkit';
import { FakeUpstream } from './fake-upstream.ts';
import { type PageAnswer, Visitor } from './visitor.ts';

export const REDIRECT_URI = 'https://client.example/done';
export const ORIGIN = 'http://app.example:3000';
export const OUT_OF_BAND = 'urn:ietf:wg:oauth:2.0:oob';

export interface ConnectApplication {
  readonly id: string;
  readonly apiKey: string;
}

/** RFC 7636 §4.1–4.2. */
export function pkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** A platform with a fake upstream, and what a person and a company do with them. */
export class ConnectWorld implements AsyncDisposable {
  readonly world: World;
  readonly upstream: FakeUpstream;
  readonly pair = pkce();

  private constructor(world: World, upstream: FakeUpstream) {
    this.world = world;
    this.upstream = upstream;
  }

  /** `others`: addresses (host:port) of further upstreams. */
  static async create(others: readonly string[] = [], options: Pick<WorldOptions, 'accountsMax'> = {}): Promise<ConnectWorld> {
    const upstream = await FakeUpstream.start();
    return new ConnectWorld(await World.create({ egressAllow: [upstream.address, ...others], ...options }), upstream);
  }

  get url(): string {
    return this.world.url;
  }

  /** An Application with the given custom services; OAuth ones get a key. */
  async application(
    fields: Record<string, unknown> = {},
    services: readonly { id: string; auth: { type: string } }[] = [this.upstream.service('harbour')],
  ): Promise<ConnectApplication> {
    const { id, apiKey } = await this.world.application({
      name: 'Northwind',
      redirect_uris: [REDIRECT_URI],
      trusted_domains: ['app.example:3000'],
      ...fields,
    });
    for (const service of services) await this.addService(id, service);
    return { id, apiKey };
  }

  async addService(applicationId: string, service: { id: string; auth: { type: string } }): Promise<void> {
    await this.#expect(201, this.world.meta('POST', `/applications/${applicationId}/services`, service));
    if (service.auth.type !== 'oauth2') return;
    const key = { service: service.id, client_id: this.upstream.clientId, client_secret: this.upstream.clientSecret };
    await this.#expect(201, this.world.meta('POST', `/applications/${applicationId}/oauth_keys`, key));
  }

  async #expect(status: number, call: ReturnType<World['meta']>): Promise<void> {
    const answer = await call;
    if (answer.status !== status) throw new Error(`expected ${status}: ${answer.status} ${answer.text}`);
  }

  /** The address that begins a flow. Null leaves a parameter out. */
  startUrl(application: Pick<ConnectApplication, 'id'>, parameters: Record<string, string | null> = {}): string {
    const all = {
      client_id: application.id,
      response_type: 'code',
      redirect_uri: REDIRECT_URI,
      state: 'st+a/te==',
      code_challenge: this.pair.challenge,
      code_challenge_method: 'S256',
      ...parameters,
    };
    const query = new URLSearchParams(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null));
    return `${this.url}/v1/oauth?${query.toString()}`;
  }

  /** The address that begins a flow of the browser SDK. */
  popupUrl(application: Pick<ConnectApplication, 'id'>, parameters: Record<string, string | null> = {}): string {
    return this.startUrl(application, {
      response_type: 'token',
      redirect_uri: OUT_OF_BAND,
      state: '42',
      request_id: '42',
      origin: ORIGIN,
      code_challenge: null,
      code_challenge_method: null,
      ...parameters,
    });
  }

  /** Goes to the service and comes back with a yes: the answer of the callback. */
  async approve(visitor: Visitor, begun: PageAnswer): Promise<PageAnswer> {
    return visitor.get(this.upstream.approve(begun.location));
  }

  /** The whole way of one person, chooser skipped. */
  async connect(
    application: Pick<ConnectApplication, 'id'>,
    parameters: Record<string, string | null> = {},
    visitor = new Visitor(),
  ): Promise<PageAnswer> {
    return this.approve(visitor, await visitor.get(this.startUrl(application, parameters)));
  }

  /** Redeems the code of a redirect. */
  async redeem(application: ConnectApplication, location: string, fields: Record<string, string> = {}) {
    const code = new URL(location).searchParams.get('code') ?? '';
    const body = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT_URI,
      client_id: application.id,
      client_secret: application.apiKey,
      code_verifier: this.pair.verifier,
      ...fields,
    });
    return this.world.call('POST', '/v1/oauth/token', { body });
  }

  /** Pushes a request as the company's server does. */
  async push(application: ConnectApplication, fields: Record<string, string> = {}) {
    const body = new URLSearchParams({
      response_type: 'code',
      redirect_uri: REDIRECT_URI,
      state: 's',
      code_challenge: this.pair.challenge,
      code_challenge_method: 'S256',
      ...fields,
    });
    return this.world.call('POST', '/v1/oauth/par', { body, headers: { authorization: `APIKey ${application.apiKey}` } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
  }
}

/** The parameters an answer brings to the redirect URI. */
export function answerOf(location: string): URLSearchParams {
  const url = new URL(location);
  return url.hash === '' ? url.searchParams : new URLSearchParams(url.hash.slice(1));
}
