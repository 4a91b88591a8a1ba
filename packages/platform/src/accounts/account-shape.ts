import type { Tx } from '@bulkhead/postgres';
import { findService } from '../applications/index.ts';
import { findCatalogueEntry, type UpstreamService } from '../services/index.ts';
import type { OpenCredential } from '../vault/index.ts';
import type { Account } from './account.ts';

/** The service of an account, from the catalogue where it can be; null where the Application has removed it. */
export async function serviceOf(tx: Tx, account: Pick<Account, 'applicationId' | 'service'>): Promise<UpstreamService | null> {
  return findCatalogueEntry(account.service) ?? (await findService(tx, account.applicationId, account.service))?.service ?? null;
}

export interface ShapeOptions {
  readonly publicUrl: string;
  readonly full: boolean;
}

/** Kloudless's account object. */
export function accountShape(account: Account, service: UpstreamService | null, { publicUrl, full }: ShapeOptions) {
  return {
    id: account.accountId,
    account: account.account,
    active: account.active,
    enabled: account.active,
    service: account.service,
    service_name: service?.definition.friendly_name ?? account.service,
    admin: account.admin,
    internal_use: account.internalUse,
    apis: [...(service?.definition.apis ?? ['raw'])],
    effective_scope: account.effectiveScope,
    granted_scopes: account.grantedScopes === null ? null : [...account.grantedScopes],
    health: account.health,
    broken_reason: account.brokenReason,
    end_user: account.endUser,
    custom_properties: { ...account.customProperties },
    object_definitions: {},
    proxy_connection: null,
    created: account.createdAt.toISOString(),
    modified: account.modifiedAt.toISOString(),
    type: 'account' as const,
    api: 'core' as const,
    href: `${publicUrl}/v1/accounts/${account.accountId}`,
    ...(full ? { quota: null, properties: { capabilities: {} } } : {}),
  };
}

type Recalled = { readonly account: Account; readonly service: UpstreamService | null };
const shapes = new WeakMap<Recalled, Map<string, ReturnType<typeof accountShape>>>();

/** The same of an account that is remembered (`recallAccount`): frozen, made once for as long as it is. */
export function lastingShape(recalled: Recalled, options: ShapeOptions): ReturnType<typeof accountShape> {
  const ofAccount = shapes.get(recalled) ?? new Map<string, ReturnType<typeof accountShape>>();
  const key = `${options.full} ${options.publicUrl}`;
  const known = ofAccount.get(key);
  if (known !== undefined) return known;
  const shape = Object.freeze(accountShape(recalled.account, recalled.service, options));
  shapes.set(recalled, ofAccount.set(key, shape));
  return shape;
}

/** The upstream credential under Kloudless's names, in clear. */
export function tokensShape(credential: OpenCredential, expiresAt: Date | null) {
  switch (credential.type) {
    case 'oauth2':
      return {
        token: credential.accessToken.reveal(),
        token_secret: null,
        refresh_token: credential.refreshToken?.reveal() ?? null,
        token_expiry: expiresAt?.toISOString() ?? null,
      };
    case 'api_key':
      return { token: credential.key.reveal(), token_secret: null, refresh_token: null, token_expiry: null };
    case 'basic':
      return { token: credential.username, token_secret: credential.password.reveal(), refresh_token: null, token_expiry: null };
  }
}
