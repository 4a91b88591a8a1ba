import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClientMetadata } from 'oidc-provider';
import { type Bearer, createFileApi } from './file-api.ts';
import { FileStore } from './file-store.ts';
import { sendJson } from './http-answers.ts';
import { createNotesServer, demoNotesAccounts, type NotesAccount } from './notes-api.ts';
import { demoPeople, People, type Person } from './people.ts';
import { createProvider } from './provider.ts';
import { createInteraction, forgetSession } from './interaction.ts';

const HOST = '127.0.0.1';

export interface DemoClient {
  readonly client_id: string;
  readonly client_secret: string;
  readonly redirect_uris: readonly string[];
  readonly client_name?: string;
}

export interface DemoUpstreamOptions {
  /** Of Harbour Files; 0 or absent: any free one. */
  readonly port?: number;
  /** Of Lantern Notes; 0 or absent: any free one. */
  readonly notesPort?: number;
  /** Callbacks of the client that is there from the start. More by `registerRedirectUri`. */
  readonly redirectUris?: readonly string[];
  /** Default 300. */
  readonly accessTokenSeconds?: number;
  readonly people?: readonly Person[];
  readonly notesAccounts?: readonly NotesAccount[];
}

export interface DemoUpstream {
  readonly issuer: string;
  readonly apiBaseUrl: string;
  readonly notesBaseUrl: string;
  /** The client that is there from the start. */
  readonly client: { readonly client_id: string; readonly client_secret: string };
  /** All clients, as they are now. */
  readonly clients: readonly DemoClient[];
  readonly notesAccounts: readonly NotesAccount[];
  /** `host:port` of both servers, for the list of private addresses that outbound calls may reach. */
  readonly addresses: readonly string[];
  /** Adds a callback to a client (default: the first). */
  registerRedirectUri(uri: string, clientId?: string): void;
  /** Adds or replaces a client. */
  registerClient(client: DemoClient): void;
  /** How often each part was asked, to show "one refresh, not ten". */
  counts(): { readonly codeExchanges: number; readonly refreshes: number; readonly revocations: number; readonly apiCalls: number };
  close(): Promise<void>;
}

function toMetadata(client: DemoClient): ClientMetadata {
  return {
    client_id: client.client_id,
    client_secret: client.client_secret,
    client_name: client.client_name ?? 'Bulkhead demo',
    redirect_uris: [...client.redirect_uris],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
  };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, HOST);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

/**
 * Starts the demo's upstream services on 127.0.0.1: Harbour Files (OAuth 2.0 by `oidc-provider`, file API under `/api`) and Lantern
 * Notes (API key). Everything is in memory and made up.
 */
export async function startDemoUpstream(options: DemoUpstreamOptions = {}): Promise<DemoUpstream> {
  const people = new People(options.people ?? demoPeople);
  const notesAccounts = options.notesAccounts ?? demoNotesAccounts;
  const clients = new Map<string, DemoClient>();
  const metadata = new Map<string, ClientMetadata>();
  const counts = { codeExchanges: 0, refreshes: 0, revocations: 0, apiCalls: 0 };
  const registerClient = (client: DemoClient) => {
    clients.set(client.client_id, { ...client, redirect_uris: [...new Set(client.redirect_uris)] });
    metadata.set(client.client_id, toMetadata(clients.get(client.client_id)!));
  };
  const client = { client_id: 'bulkhead-demo', client_secret: randomBytes(24).toString('base64url') };
  registerClient({ ...client, redirect_uris: options.redirectUris ?? [] });

  const server = createServer();
  const port = await listen(server, options.port ?? 0);
  const issuer = `http://${HOST}:${port}`;
  const provider = createProvider(issuer, { accessTokenSeconds: options.accessTokenSeconds ?? 300, people, clients: metadata });
  const verify = async (token: string): Promise<Bearer | null> => {
    const found = await provider.AccessToken.find(token);
    const person = found?.isValid && found.accountId ? people.find(found.accountId) : null;
    return person === null || !found ? null : { person, scopes: found.scopes };
  };
  provider.on('grant.success', (context) => {
    const grantType = context.oidc.params?.['grant_type'];
    if (grantType === 'authorization_code') counts.codeExchanges += 1;
    if (grantType === 'refresh_token') counts.refreshes += 1;
  });
  const fileApi = createFileApi(new FileStore(), verify);
  const interaction = createInteraction(provider, people);
  const oauth = provider.callback();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', issuer);
    if (url.pathname.startsWith('/api/')) {
      counts.apiCalls += 1;
      return fileApi(request, response, url.pathname.slice('/api'.length), url.searchParams);
    }
    if (url.pathname.startsWith('/interaction/')) return interaction(request, response);
    if (url.pathname === '/token/revocation') counts.revocations += 1;
    forgetSession(request);
    return oauth(request, response);
  };
  server.on('request', (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) return response.destroy();
      const expired = error instanceof Error && error.name === 'SessionNotFound';
      return sendJson(response, expired ? 400 : 500, {
        error: expired ? 'expired' : 'server_error',
        message: expired ? 'This sign-in has ended. Start again.' : 'Harbour Files is out of order.',
      });
    });
  });

  const notes = createNotesServer(notesAccounts);
  const notesPort = await listen(notes, options.notesPort ?? 0).catch(async (error: unknown) => {
    await close(server);
    throw error;
  });

  return {
    issuer,
    apiBaseUrl: `${issuer}/api`,
    notesBaseUrl: `http://${HOST}:${notesPort}`,
    client,
    get clients() {
      return [...clients.values()];
    },
    notesAccounts,
    addresses: [`${HOST}:${port}`, `${HOST}:${notesPort}`],
    registerRedirectUri(uri, clientId = client.client_id) {
      const known = clients.get(clientId);
      if (!known) throw new Error(`there is no client ${clientId}`);
      registerClient({ ...known, redirect_uris: [...known.redirect_uris, uri] });
    },
    registerClient,
    counts: () => ({ ...counts }),
    close: async () => {
      await Promise.all([close(server), close(notes)]);
    },
  };
}

/** Harbour Files as a custom service (`POST …/services`). */
export function harbourService({ issuer, apiBaseUrl }: Pick<DemoUpstream, 'issuer' | 'apiBaseUrl'>) {
  return {
    id: 'harbour',
    friendly_name: 'Harbour Files',
    apis: ['raw'],
    auth: {
      type: 'oauth2',
      issuer,
      scopes: ['openid', 'files:read', 'files:write'],
      pkce: true,
      token_endpoint_auth_method: 'client_secret_basic',
    },
    api: { base_url: apiBaseUrl },
    identity: { url: `${apiBaseUrl}/me`, id: '/id', name: '/name' },
  };
}

/** Lantern Notes as a custom service (`POST …/services`). */
export function lanternService({ notesBaseUrl }: Pick<DemoUpstream, 'notesBaseUrl'>) {
  return {
    id: 'lantern',
    friendly_name: 'Lantern Notes',
    apis: ['raw'],
    auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' },
    api: { base_url: notesBaseUrl },
    identity: { url: `${notesBaseUrl}/me`, id: '/id', name: '/name' },
  };
}
