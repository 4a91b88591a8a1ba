import { Secret } from '@bulkhead/base';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type AccountServer, accountServer } from './account-server.ts';
import { readAll, wireCall, type WireAnswer, type WireMessage, wireUpstream, type WireUpstream } from './raw-wire.ts';

/** Sockets at both ends of the pass-through, and every byte that goes over them. */
export interface WireWorld {
  readonly world: AccountServer;
  readonly upstream: WireUpstream;
  /** `Authorization` of the caller: an API key. */
  readonly key: string;
  /** `/v1/accounts/{id}/proxy` of an account whose key goes into `X-Key`: bodies are streamed. */
  readonly streamed: string;
  /** The same of an account whose token can be renewed: small bodies are held, to be sent again. */
  readonly held: string;
  /** Sends a request: the head's first line and fields (ours are added), then the body's bytes. Closes after one answer. */
  readonly send: (method: string, target: string, fields?: readonly string[], body?: string | Buffer) => Promise<WireAnswer>;
}

/** Registers the hooks: one world for the file, an upstream that has seen nothing for each test. */
export function useWireWorld(ready: (made: WireWorld) => void, forward: Parameters<typeof accountServer>[0] = {}): void {
  let world: AccountServer;
  let upstream: WireUpstream;
  beforeAll(async () => {
    [world, upstream] = await Promise.all([accountServer(forward), wireUpstream()]);
    const application = await world.application();
    const api = { base_url: `${upstream.url}/api` };
    await world.addService(application, { id: 'wire', friendly_name: 'Wire', auth: { type: 'api_key', in: 'header', name: 'X-Key' }, api });
    const endpoints = { authorization_endpoint: `${upstream.url}/authorize`, token_endpoint: `${upstream.url}/token` };
    await world.addService(application, { id: 'tide', friendly_name: 'Tide', auth: { type: 'oauth2', ...endpoints }, api });
    const streamed = await world.addAccount(application, 'wire', { apiKey: new Secret('wire-key') });
    const tokens = { accessToken: new Secret('access-1'), refreshToken: new Secret('refresh-1'), kept: {} };
    const held = await world.addAccount(application, 'tide', tokens);
    const key = world.apiKey(application)['authorization'] ?? '';
    ready({
      world,
      upstream,
      key,
      streamed: `/v1/accounts/${streamed}/proxy`,
      held: `/v1/accounts/${held}/proxy`,
      send: (method, target, fields = [], body = '') =>
        wireCall(world.url, [
          head(`${method} ${target} HTTP/1.1`, ['Host: bulkhead', `Authorization: ${key}`, ...fields, 'Connection: close']),
          body,
        ]),
    });
  });
  beforeEach(() => upstream.reset());
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await upstream.close();
  });
}

export function head(start: string, fields: readonly string[]): string {
  return [start, ...fields, '', ''].join('\r\n');
}

/** The one answer, where it came whole. Throws where it did not. */
export function whole(answer: WireAnswer, options: { head?: boolean } = {}): WireMessage {
  if (answer.ended === 'reset') throw new Error('the connection was broken');
  const [message, ...more] = readAll(answer.bytes, 'answer', { ...options, ended: true });
  if (message === undefined || more.length > 0) throw new Error(`${more.length + (message ? 1 : 0)} answers`);
  return message;
}

/** Fields of that name, in order. */
export function values(message: WireMessage | undefined, wanted: string): string[] {
  return (message?.fields ?? []).filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
}
