import type { ServiceDefinition } from './service-definition.ts';
import { servicesErrors } from './services-errors.ts';

/** The part of an API that a permission of ours stands for, in the upstream's words. */
export type ScopeMap = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export type RevocationStyle =
  /** RFC 7009 at the revocation endpoint. */
  | 'rfc7009'
  /** RFC 7009's body, but without client authentication. */
  | 'token_only'
  /** A POST to the revocation endpoint under the access token itself. */
  | 'bearer'
  /** `DELETE /applications/{client_id}/token` with Basic client authentication. */
  | 'github';

/** Where a service differs from the RFCs, as data. Everything is optional: a service without quirks behaves. */
export interface ServiceQuirks {
  /** Name of the authorization parameter that carries the scope. Default `scope`. */
  readonly scopeParameter?: string;
  /** JSON pointer to the object of the token answer that holds the token. Default: the answer itself. */
  readonly tokenPointer?: string;
  /** Values of `token_type` that mean a bearer token, beside `bearer`, lower-case. */
  readonly bearerTokenTypes?: readonly string[];
  /** Error codes of the token endpoint that end the refresh token, beside RFC 6749's; here they mean that and nothing else. */
  readonly permanentErrors?: readonly string[];
  /** Error codes of the token endpoint that refuse the client, not the person, beside RFC 6749's: the account stays as it is. */
  readonly clientErrors?: readonly string[];
  /** Members of the token answer to keep with the account: name → JSON pointer. */
  readonly keep?: Readonly<Record<string, string>>;
  /** The API's address differs per account: the kept member that holds it, and the host names it may have (`*.` = any label). */
  readonly baseUrlFrom?: { readonly kept: string; readonly path: string; readonly hosts: readonly string[] };
  /** Upstream scopes that are granted under another name: requested → granted. */
  readonly scopeAliases?: Readonly<Record<string, string>>;
  /** JSON pointer into the identity answer to what makes the id unique: ids of two workspaces may be equal. */
  readonly identityQualifier?: string;
  /** The identity is asked for by POST. */
  readonly identityByPost?: true;
  readonly revocation?: RevocationStyle;
}

/** A service as the other slices see it: the definition and, for those of the catalogue, what the definition cannot say. */
export interface UpstreamService {
  readonly definition: ServiceDefinition;
  /** `storage`, `crm`, …; custom services have `custom`. */
  readonly category: string;
  /** Other ids that ask for the same service. */
  readonly aliases: readonly string[];
  /** API → permission → upstream scopes. Empty for custom services: their `auth.scopes` are asked for as they are. */
  readonly scopes: ScopeMap;
  /** Asked for whatever the scope is: identity and refresh tokens. */
  readonly baseScopes: readonly string[];
  readonly quirks: ServiceQuirks;
}

/** A tenant's own service. */
export function customService(definition: ServiceDefinition): UpstreamService {
  return { definition, category: 'custom', aliases: [], scopes: {}, baseScopes: [], quirks: {} };
}

function hostFits(host: string, pattern: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1 : host === pattern;
}

/**
 * The base of the account's API, without a slash at the end. For a service whose address differs per account (`kept` is what
 * `UpstreamTokens.kept` brought) it must be https at a host the catalogue names, on the default port: the token answer alone
 * must not decide where a credential goes.
 */
export function apiBaseUrl(service: UpstreamService, kept: Readonly<Record<string, string>> = {}): string {
  const rule = service.quirks.baseUrlFrom;
  if (rule === undefined) return service.definition.api.base_url.replace(/\/+$/, '');
  const text = kept[rule.kept];
  if (text === undefined) throw servicesErrors('service.base_url_unknown', { detail: `"${rule.kept}" was not kept` });
  const url = URL.parse(text);
  const fits =
    url !== null &&
    url.protocol === 'https:' &&
    url.port === '' &&
    url.username === '' &&
    url.password === '' &&
    rule.hosts.some((pattern) => hostFits(url.hostname, pattern));
  if (!fits) throw servicesErrors('service.base_url_unknown', { detail: `"${rule.kept}" names an address outside the service's hosts` });
  return url.origin + rule.path;
}
