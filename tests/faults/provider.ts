import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/** One account at the provider. Its refresh tokens rotate; one that comes a second time revokes them all. */
interface Family {
  generation: number;
  isRevoked: boolean;
  /** Milliseconds for which the token before the last one gives the last answer once more. */
  readonly graceMs: number;
  rotatedAt: number;
}

/** A call of the token endpoint. */
export interface TokenCall {
  readonly family: string;
  readonly refreshToken: string;
  readonly response: ServerResponse;
  /** Does what a provider does: rotates, or finds a reuse and revokes the family. The answer is still to be sent. */
  readonly rotate: () => TokenAnswer;
  /** Rotates and answers. */
  readonly answer: () => void;
}

export interface TokenAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** What may be done to a call instead of answering it. */
export type Behaviour = (call: TokenCall) => void | Promise<void>;

/**
 * A provider that keeps the strictest rules (rotation, reuse revokes the family, RFC 9700 §4.14.2) and behaves as badly as it
 * is told: loses answers, hangs, answers junk, drips. It counts what it was asked. Its API answers who asked by which token.
 */
export class HostileProvider implements AsyncDisposable {
  readonly #server: Server;
  readonly #families = new Map<string, Family>();
  readonly #behaviours = new Map<string, Behaviour>();
  readonly #calls: { readonly family: string; readonly refreshToken: string }[] = [];
  readonly #metadata = new Map<string, () => Promise<void>>();
  readonly #revocations: string[] = [];
  /** What is awaited before a revocation is answered. */
  holdRevocation: (token: string) => Promise<void> = async () => undefined;
  /** Origin. */
  readonly url: string;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (message, response) => {
      this.#serve(message, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<HostileProvider> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new HostileProvider(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A new account; answers its first tokens. */
  family(name: string, options: { readonly graceMs?: number } = {}): { readonly access: string; readonly refresh: string } {
    this.#families.set(name, { generation: 1, isRevoked: false, graceMs: options.graceMs ?? 0, rotatedAt: 0 });
    return { access: `access.${name}.1`, refresh: `refresh.${name}.1` };
  }

  /** From now on, for the calls of this account. */
  behave(family: string, behaviour: Behaviour): void {
    this.#behaviours.set(family, behaviour);
  }

  /** Holds the first answer of an issuer's metadata (RFC 8414): `asked` once somebody wants it, until `release`. Later ones pass. */
  holdFirstMetadata(issuer: string): { readonly asked: Promise<void>; readonly release: () => void } {
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#metadata.set(issuer, async () => {
      this.#metadata.delete(issuer);
      asked.resolve();
      await released.promise;
    });
    return { asked: asked.promise, release: released.resolve };
  }

  /** Holds the first call for an account in the same way, then answers it as a provider does. */
  holdFirst(family: string): { readonly asked: Promise<void>; readonly release: () => void } {
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.behave(family, async (call) => {
      this.#behaviours.delete(family);
      asked.resolve();
      await released.promise;
      call.answer();
    });
    return { asked: asked.promise, release: released.resolve };
  }

  /** The tokens whose revocation was asked for, in order. */
  get revocations(): readonly string[] {
    return this.#revocations;
  }

  /** The refresh tokens that were sent for an account, in order. */
  calls(family: string): string[] {
    return this.#calls.filter((call) => call.family === family).map((call) => call.refreshToken);
  }

  isRevoked(family: string): boolean {
    return this.#families.get(family)!.isRevoked;
  }

  generation(family: string): number {
    return this.#families.get(family)!.generation;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? '/', this.url);
    if (url.pathname.includes('/.well-known/')) return this.#tellMetadata(url, message, response);
    if (url.pathname === '/revoke') {
      const token = new URLSearchParams(await text(message)).get('token') ?? '';
      this.#revocations.push(token);
      await this.holdRevocation(token);
      return sendJson(response, 200, {});
    }
    if (url.pathname === '/token') return this.#serveToken(new URLSearchParams(await text(message)), response);
    message.resume();
    const bearer = /^Bearer access\.([^.]+)\.(\d+)$/.exec(message.headers.authorization ?? '');
    const family = bearer === null ? undefined : this.#families.get(bearer[1]!);
    if (family === undefined || family.isRevoked) return sendJson(response, 401, { error: 'invalid_token' });
    return serveApi(url, bearer![0].slice('Bearer '.length), response);
  }

  /** `{origin}/{issuer}/.well-known/openid-configuration`, or the issuer at the end as in RFC 8414 §3.1. */
  async #tellMetadata(url: URL, message: IncomingMessage, response: ServerResponse): Promise<void> {
    message.resume();
    const name = url.pathname.split('/').find((part) => part !== '' && part !== '.well-known' && !part.startsWith('o')) ?? '';
    await this.#metadata.get(name)?.();
    const origin = `http://${message.headers.host}`;
    const issuer = `${origin}/${name}`;
    sendJson(response, 200, {
      issuer,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
    });
  }

  async #serveToken(form: URLSearchParams, response: ServerResponse): Promise<void> {
    const refreshToken = form.get('refresh_token') ?? '';
    const [, name = '', generation = ''] = refreshToken.split('.');
    this.#calls.push({ family: name, refreshToken });
    const call: TokenCall = {
      family: name,
      refreshToken,
      response,
      rotate: () => this.#rotate(name, Number(generation)),
      answer: () => {
        const { status, body } = call.rotate();
        sendJson(response, status, body);
      },
    };
    await (this.#behaviours.get(name) ?? ((each: TokenCall) => each.answer()))(call);
  }

  #rotate(name: string, generation: number): TokenAnswer {
    const family = this.#families.get(name);
    const isGrace = family?.generation === generation + 1 && Date.now() - family.rotatedAt < family.graceMs;
    if (family !== undefined && !family.isRevoked && family.generation === generation) {
      family.generation++;
      family.rotatedAt = Date.now();
    } else if (family === undefined || family.isRevoked || !isGrace) {
      if (family !== undefined) family.isRevoked = true;
      return { status: 400, body: { error: 'invalid_grant' } };
    }
    const now = family.generation;
    return {
      status: 200,
      body: { access_token: `access.${name}.${now}`, refresh_token: `refresh.${name}.${now}`, token_type: 'Bearer', expires_in: 3600 },
    };
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** `?ms=`: how long an answer takes. `?pieces=`: so many of them, one each `ms`. */
async function serveApi(url: URL, token: string, response: ServerResponse): Promise<void> {
  const ms = Number(url.searchParams.get('ms') ?? 0);
  const pieces = Number(url.searchParams.get('pieces') ?? 0);
  if (pieces === 0) {
    if (ms > 0) await delay(ms);
    return sendJson(response, 200, { token });
  }
  response.writeHead(200, { 'content-type': 'text/plain' });
  for (let piece = 1; piece <= pieces && !response.destroyed; piece++) {
    response.write(`piece ${piece}\n`);
    await delay(ms);
  }
  response.end('end\n');
}
