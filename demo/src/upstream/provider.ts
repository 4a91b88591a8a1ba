import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { type Adapter, type AdapterPayload, type ClientMetadata, type Configuration, Provider } from 'oidc-provider';
import type { People } from './people.ts';

export const HARBOUR_SCOPES = ['openid', 'profile', 'email', 'offline_access', 'files:read', 'files:write'] as const;

export interface ProviderOptions {
  readonly accessTokenSeconds: number;
  readonly people: People;
  /** Clients by id: what the provider looks up on every request, so that they may be added and changed while it runs. */
  readonly clients: ReadonlyMap<string, ClientMetadata>;
}

interface Stored {
  readonly payload: AdapterPayload;
  readonly expiresAt: number;
}

/** Everything the provider remembers, in memory; expired entries are dropped when they are next looked at, or by number. */
function createAdapter(clients: ReadonlyMap<string, ClientMetadata>): (name: string) => Adapter {
  const entries = new Map<string, Stored>();
  const grants = new Map<string, Set<string>>();
  const ENTRIES_MAX = 50_000;

  return (model) => {
    const key = (id: string) => `${model}:${id}`;
    const find = (id: string): AdapterPayload | undefined => {
      if (model === 'Client') return clients.get(id) as AdapterPayload | undefined;
      const entry = entries.get(key(id));
      if (entry && entry.expiresAt <= Date.now()) entries.delete(key(id));
      return entry && entry.expiresAt > Date.now() ? entry.payload : undefined;
    };
    return {
      async upsert(id, payload, expiresIn) {
        entries.delete(key(id));
        entries.set(key(id), { payload, expiresAt: expiresIn ? Date.now() + expiresIn * 1000 : Number.POSITIVE_INFINITY });
        if (payload.grantId) grants.set(payload.grantId, (grants.get(payload.grantId) ?? new Set()).add(key(id)));
        if (entries.size > ENTRIES_MAX) entries.delete(entries.keys().next().value!);
      },
      async find(id) {
        return find(id);
      },
      async findByUid(uid) {
        for (const [name, { payload, expiresAt }] of entries)
          if (name.startsWith(`${model}:`) && payload.uid === uid && expiresAt > Date.now()) return payload;
        return undefined;
      },
      async findByUserCode() {
        return undefined;
      },
      async consume(id) {
        const payload = find(id);
        if (payload) payload.consumed = Math.floor(Date.now() / 1000);
      },
      async destroy(id) {
        entries.delete(key(id));
      },
      async revokeByGrantId(grantId) {
        for (const name of grants.get(grantId) ?? []) entries.delete(name);
        grants.delete(grantId);
      },
    };
  };
}

/** A client asks about and revokes its own tokens only (RFC 7009 §2.1, RFC 7662 §4). */
const ownToken = async (_context: unknown, client: { clientId: string }, token: { clientId?: string | undefined }) =>
  token.clientId === client.clientId;

/** The authorization server of Harbour Files: PKCE demanded, `iss` in every response, opaque access tokens, refresh tokens rotated. */
export function createProvider(issuer: string, { accessTokenSeconds, people, clients }: ProviderOptions): Provider {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const configuration: Configuration = {
    adapter: createAdapter(clients),
    jwks: { keys: [{ ...(privateKey.export({ format: 'jwk' }) as object), kty: 'RSA', use: 'sig', alg: 'RS256' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    scopes: [...HARBOUR_SCOPES],
    claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
    conformIdTokenClaims: false,
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: ownToken },
      revocation: { enabled: true, allowedPolicy: ownToken },
      rpInitiatedLogout: { enabled: false },
      resourceIndicators: { enabled: false },
    },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_context, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 60,
      IdToken: 300,
      RefreshToken: 14 * 86_400,
      Interaction: 900,
      Session: 3600,
      Grant: 14 * 86_400,
    },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: async (_context, id) => {
      const person = people.find(id);
      return person === null ? undefined : { accountId: id, claims: async () => ({ sub: id, name: person.name, email: person.email }) };
    },
    renderError: async (context, out) => {
      context.type = 'text/plain';
      context.body = `Harbour Files cannot go on: ${out.error}${out.error_description ? ` (${out.error_description})` : ''}\n`;
    },
  };
  return new Provider(issuer, configuration);
}
