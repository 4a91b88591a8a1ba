import { appRefusals } from './refusals.ts';

/**
 * Who may install this App. Its key servers say whose signatures count, its hosts where its tenants live: a signature of one issuer installs
 * no tenant of another.
 */
export interface Issuer {
  /** Kept with each tenant: a tenant never changes its issuer. */
  readonly name: string;
  /** `GET {keyServer}/{kid}` answers a public key as PEM. Asked in this order. */
  readonly keyServers: readonly string[];
  /** Host names of base URLs, exact or with one leading `*.` (one label): `connect.example.com`, `*.atlassian.net`. With a port, if one is meant. */
  readonly hosts: readonly string[];
  /** Where a user's token is asked for, `{authorizationServer}/oauth2/token`. Default: the tenant's base URL. */
  readonly authorizationServer?: string;
  /** Plain http too: for a host on your own machine. Default: https only. */
  readonly insecure?: boolean;
}

/** Atlassian's cloud products, by its public key server. */
export const atlassianCloud: Issuer = {
  name: 'atlassian',
  keyServers: ['https://connect-install-keys.atlassian.com'],
  hosts: ['*.atlassian.net', '*.jira.com'],
  authorizationServer: 'https://oauth-2-authorization-server.services.atlassian.com',
};

/** A Bulkhead server: `bulkhead('https://connect.example.com')`. */
export function bulkhead(origin: string): Issuer {
  const url = new URL(origin);
  const insecure = url.protocol === 'http:';
  return { name: `bulkhead ${url.host}`, keyServers: [`${url.origin}/keys`], hosts: [url.host], ...(insecure ? { insecure } : {}) };
}

/** Throws for an issuer that could not mean anything, at the start and not at the first install. */
export function assertIssuers(issuers: readonly Issuer[]): void {
  if (issuers.length === 0 || issuers.length > 16) throw new RangeError('an App has 1 to 16 issuers');
  if (new Set(issuers.map(({ name }) => name)).size !== issuers.length) throw new RangeError('two issuers have one name');
  for (const { name, keyServers, hosts, insecure } of issuers) {
    if (name === '' || hosts.length === 0) throw new RangeError('an issuer has a name and a host');
    for (const keyServer of keyServers) {
      const url = new URL(keyServer);
      if (url.protocol !== 'https:' && insecure !== true) throw new RangeError(`the key server of ${name} is not https`);
      if (url.search !== '' || url.hash !== '' || url.username !== '') throw new RangeError(`the key server of ${name} is no plain URL`);
    }
  }
}

/** The base URL of a tenant in its one spelling, without a closing slash. Throws `app_kit.host_refused` for one that is not the issuer's. */
export function tenantBaseUrl(issuer: Issuer, text: string): string {
  const url = URL.parse(text);
  const schemes = issuer.insecure === true ? ['https:', 'http:'] : ['https:'];
  const plain = url !== null && url.username === '' && url.password === '' && !/[?#\\\s]/.test(text);
  if (!plain || !schemes.includes(url.protocol) || !issuer.hosts.some((pattern) => matchesHost(pattern, url.host)))
    throw appRefusals('app_kit.host_refused', { detail: `issuer ${issuer.name}` });
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function matchesHost(pattern: string, host: string): boolean {
  if (!pattern.startsWith('*.')) return host === pattern.toLowerCase();
  const dot = host.indexOf('.');
  return dot > 0 && host.slice(dot + 1) === pattern.slice(2).toLowerCase();
}
