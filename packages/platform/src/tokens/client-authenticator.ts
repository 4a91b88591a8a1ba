import { applicationId, type ApplicationId, type Clock } from '@bulkhead/base';
import { httpErrors, type IncomingCall } from '@bulkhead/http';
import type { Database } from '@bulkhead/postgres';
import type { ApiKeyPrincipal, ClientPrincipal } from '../access/index.ts';
import { getApplicationSettings } from '../applications/index.ts';

export interface ClientAuthenticatorParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly authenticateApiKey: (key: string, now: Date) => Promise<ApiKeyPrincipal | null>;
}

/** What the request says of its client, from header and parameters. */
interface PresentedClient {
  /** Null only with the scheme `APIKey`, where the key names the Application. */
  readonly clientId: string | null;
  readonly secret: string | null;
}

/**
 * Authenticates an OAuth client (RFC 6749 §2.3): `Authorization: APIKey KEY`, Basic `client_id:KEY`, or `client_id` and
 * `client_secret` as parameters; the secret is an API key of that very Application. With `client_id` alone it is a public client.
 * Null for every failure, so that an unknown client and a wrong secret look alike. Two different secrets, or Basic beside a secret
 * parameter, throw `request.two_credentials`.
 */
export function clientAuthenticator(parts: ClientAuthenticatorParts): (call: IncomingCall) => Promise<ClientPrincipal | null> {
  return async (call) => {
    const presented = presentedClient(call);
    if (presented === null) return null;
    const { clientId, secret } = presented;
    if (secret === null) return clientId === null ? null : publicClient(parts, clientId);
    const key = await parts.authenticateApiKey(secret, new Date(parts.clock.now()));
    if (key === null || (clientId !== null && key.applicationId !== clientId)) return null;
    return { kind: 'client', applicationId: key.applicationId, apiKeyId: key.apiKeyId };
  };
}

async function publicClient({ db }: ClientAuthenticatorParts, clientId: string): Promise<ClientPrincipal | null> {
  if (!applicationId.is(clientId)) return null;
  const id: ApplicationId = clientId;
  const settings = await db.withTenant(id, (tx) => getApplicationSettings(tx, id));
  return settings?.active ? { kind: 'client', applicationId: id, apiKeyId: null } : null;
}

function presentedClient(call: IncomingCall): PresentedClient | null {
  const clientId = parameter(call, 'client_id');
  const secret = parameter(call, 'client_secret');
  const header = call.headers['authorization'];
  if (header === undefined) return clientId === null ? null : { clientId, secret };
  const match = typeof header === 'string' ? /^(APIKey|Basic) +([\x21-\x7E]+) *$/i.exec(header) : null;
  if (match === null) {
    // A token in the header and a secret beside it: which of the two is meant is not for us to say (RFC 6749 §2.3).
    if (secret !== null) throw httpErrors('request.two_credentials', { field: 'client_secret' });
    return null;
  }
  const [, scheme = '', value = ''] = match;
  if (scheme.toLowerCase() === 'apikey') {
    // Kloudless's clients send the same key twice, in the header and as client_secret: that is one credential.
    if (secret !== null && secret !== value) throw httpErrors('request.two_credentials', { field: 'client_secret' });
    return { clientId, secret: value };
  }
  if (secret !== null) throw httpErrors('request.two_credentials', { field: 'client_secret' });
  const basic = readBasic(value);
  if (basic === null) return null;
  if (clientId !== null && clientId !== basic.clientId) throw httpErrors('request.two_credentials', { field: 'client_id' });
  return basic;
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined by a colon. A client without secret sends none after it. */
function readBasic(value: string): PresentedClient | null {
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) return null;
  const clientId = formDecoded(text.slice(0, colon));
  const secret = formDecoded(text.slice(colon + 1));
  if (clientId === null || clientId === '' || secret === null) return null;
  return { clientId, secret: secret === '' ? null : secret };
}

function formDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

/** From the body; from the query only where there is no body, as one old client sends it. Without a value counts as absent. */
function parameter(call: IncomingCall, name: string): string | null {
  // A JSON body need not be an object.
  const form: Readonly<Record<string, unknown>> = call.form ?? {};
  const value = Object.keys(form).length === 0 ? call.query[name] : form[name];
  if (value === undefined || value === '') return null;
  if (typeof value !== 'string') throw httpErrors('request.invalid', { params: { problem: `Send "${name}" once, as text.` }, field: name });
  return value;
}
