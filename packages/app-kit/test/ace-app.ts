import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { ExpressHandler } from '../src/adapter/express.ts';
import { listening, type Running } from './raw-request.ts';
import { express4, requireUntyped } from './untyped-express.ts';

interface AceAddon {
  middleware(): ExpressHandler;
  authenticate(skipQsh?: boolean): ExpressHandler;
  authenticateInstall(): ExpressHandler;
  checkValidToken(): ExpressHandler;
}
interface Ace {
  (app: unknown, opts: { config: unknown }, logger: unknown, files: { descriptorFilename: string }, ready: () => void): AceAddon;
  readonly store: { register(name: string, factory: () => unknown): void };
}

export interface AceApp extends Running {
  /** Everything it has logged. */
  readonly log: string[];
  /** Everything it has given to its store, as text. */
  readonly stored: string[];
}

/**
 * An App with atlassian-connect-express as its documentation has it, in production: pages behind `authenticate`, a route of its own front
 * end behind `checkValidToken`, a public page, lifecycle hooks. Its store is a Map, since what matters here is who gets to it.
 */
export async function startAceApp(options: {
  readonly key: string;
  readonly baseUrl: string;
  readonly keyServerUrl: string;
  readonly whitelist: string;
}): Promise<AceApp> {
  const folder = mkdtempSync(join(tmpdir(), 'ace-app-'));
  const descriptorFilename = join(folder, 'atlassian-connect.json');
  writeFileSync(descriptorFilename, JSON.stringify({ key: options.key, baseUrl: options.baseUrl, authentication: { type: 'jwt' } }));
  process.env['CONNECT_KEYS_CDN_URL'] = options.keyServerUrl;

  const log: string[] = [];
  const stored: string[] = [];
  const line = (...words: unknown[]) => void log.push(words.map((word) => (typeof word === 'string' ? word : inspect(word))).join(' '));
  const logger = { info: line, warn: line, error: line, debug: line };

  const ace = requireUntyped('atlassian-connect-express') as Ace;
  const rows = new Map<string, unknown>();
  const keep = (key: string, value: unknown, clientKey: string) => {
    rows.set(`${clientKey}/${key}`, value);
    stored.push(JSON.stringify(value));
    return Promise.resolve(value);
  };
  ace.store.register('plain', () => ({
    get: (key: string, clientKey: string) => Promise.resolve(rows.get(`${clientKey}/${key}`) ?? null),
    set: keep,
    saveInstallation: (value: unknown, clientKey: string) => keep('clientInfo', value, clientKey),
  }));

  const make = express4();
  const server = make();
  server.set('env', 'production');
  const config = { production: { store: { adapter: 'plain' }, localBaseUrl: options.baseUrl, whitelist: [options.whitelist] } };
  const addon = await new Promise<AceAddon>((resolve) => {
    const made = ace(server, { config }, logger, { descriptorFilename }, () => resolve(made));
    server.use(make.json());
    server.use(make.urlencoded({ extended: false }));
    server.use(made.middleware());
  });
  const shown: ExpressHandler = (request, response) => {
    const { context } = request as unknown as { context: { hostBaseUrl?: string; clientKey?: string } };
    response.end(JSON.stringify({ clientKey: context.clientKey, hostBaseUrl: context.hostBaseUrl }));
  };
  server.get('/page', addon.authenticate(), shown);
  server.get('/own', addon.checkValidToken(), shown);
  server.get('/public', shown);
  for (const path of ['/hook', '/enabled']) server.post(path, addon.authenticate(), shown);
  server.post('/uninstalled', addon.authenticateInstall(), shown);
  return { ...(await listening(server)), log, stored };
}
