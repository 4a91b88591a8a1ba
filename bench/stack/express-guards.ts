import { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppKit, expressGuard, type ExpressHandler } from '@bulkhead/app-kit';

/** Of Express, what is used here. */
interface Express {
  (request: IncomingMessage, response: ServerResponse): void;
  set(name: string, value: unknown): void;
  use(...handlers: unknown[]): void;
  get(path: string, handler: ExpressHandler): void;
}
interface ExpressModule {
  (): Express;
  json(): unknown;
  urlencoded(options: { readonly extended: boolean }): unknown;
}
interface Addon {
  middleware(): ExpressHandler;
  authenticate(): ExpressHandler;
}
interface Ace {
  (app: Express, opts: object, logger: object, files: object, ready: () => void): Addon;
  readonly store: { register(name: string, factory: () => unknown): void };
}

/** A guard of a route, and requests as its framework gives them to it. */
export interface GuardedRoute {
  readonly guard: ExpressHandler;
  /** As Express has them when it comes to the route: one use each. */
  requests(targets: readonly string[]): Promise<readonly Arrived[]>;
}

export interface Arrived {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const untyped = createRequire(import.meta.url);
const PATH = '/page';

/** What a browser sends when it loads a page into a frame. */
const browserHeaders: readonly (readonly [string, string])[] = [
  ['Host', 'app.example'],
  ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'],
  ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ['Accept-Encoding', 'gzip, deflate, br'],
  ['Accept-Language', 'en-GB,en;q=0.9'],
  ['Referer', 'https://host.example/'],
  ['Sec-Fetch-Dest', 'iframe'],
  ['Sec-Fetch-Mode', 'navigate'],
  ['Sec-Fetch-Site', 'cross-site'],
  ['Upgrade-Insecure-Requests', '1'],
  ['Connection', 'keep-alive'],
];

/** What of a guard verifies, without the rest of it. */
export interface Verifying {
  verify(arrived: Arrived): Promise<unknown>;
}

/** `expressGuard` on Express 5. */
export function kitOnExpress5(kit: AppKit): GuardedRoute {
  const app = (untyped('express5') as ExpressModule)();
  return { guard: expressGuard(kit, { token: 'request', repeatable: true }), requests: arriving(app) };
}

/** `addon.authenticate()` of atlassian-connect-express on Express 4, in production; the tenant is in memory. */
export async function aceOnExpress4(options: {
  readonly key: string;
  readonly baseUrl: string;
  readonly clientInfo: { readonly clientKey: string };
}): Promise<GuardedRoute & Verifying> {
  const { key, baseUrl, clientInfo } = options;
  const express = untyped('express') as ExpressModule;
  const ace = untyped('atlassian-connect-express') as Ace;
  const folder = await mkdtemp(join(tmpdir(), 'bench-ace-'));
  const descriptorFilename = join(folder, 'atlassian-connect.json');
  await writeFile(descriptorFilename, JSON.stringify({ key, baseUrl, authentication: { type: 'jwt' } }));
  ace.store.register('bench', () => ({
    get: (name: string, clientKey: string) =>
      Promise.resolve(name === 'clientInfo' && clientKey === clientInfo.clientKey ? clientInfo : null),
  }));
  const app = express();
  app.set('env', 'production');
  const config = { production: { store: { adapter: 'bench' }, localBaseUrl: baseUrl } };
  const quiet = () => undefined;
  const logger = { info: quiet, warn: quiet, error: quiet, debug: quiet };
  const addon = await new Promise<Addon>((resolve) => {
    const made = ace(app, { config }, logger, { descriptorFilename }, () => resolve(made));
    app.use(express.json());
    app.use(express.urlencoded({ extended: false }));
    app.use(made.middleware());
  });
  await rm(folder, { recursive: true });
  const { getVerifiedClaims } = untyped('atlassian-connect-express/lib/middleware/authentication') as {
    readonly getVerifiedClaims: (addon: unknown, request: unknown, response: unknown, skipQsh: boolean) => Promise<unknown>;
  };
  return {
    guard: addon.authenticate(),
    requests: arriving(app),
    verify: ({ request, response }) => getVerifiedClaims(addon, request, response, false),
  };
}

/** Runs a request through a guard; rejects where it is refused. */
export function passGuard({ guard }: GuardedRoute, { request, response }: Arrived): Promise<void> {
  return new Promise((resolve, reject) => {
    response.end = (() => reject(new Error(`the guard answered ${response.statusCode}`))) as ServerResponse['end'];
    guard(request, response, (failure) => (failure === undefined ? resolve() : reject(failure as Error)));
  });
}

function arriving(app: Express): GuardedRoute['requests'] {
  let arrived: (at: Arrived) => void;
  app.get(PATH, (request, response) => arrived({ request, response }));
  return async (targets) => {
    const all: Arrived[] = [];
    for (const target of targets) {
      const request = new IncomingMessage(new Socket());
      request.method = 'GET';
      request.url = target;
      request.rawHeaders.push(...browserHeaders.flat());
      all.push(
        await new Promise<Arrived>((resolve) => {
          arrived = resolve;
          app(request, new ServerResponse(request));
        }),
      );
    }
    return all;
  };
}
