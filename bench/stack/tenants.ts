import type { BulkheadServer } from './bulkhead.ts';

export interface TenantOptions {
  readonly applications: number;
  /** Access tokens of each Application's account. */
  readonly tokens: number;
  /** Where the accounts' service is. */
  readonly upstreamUrl: string;
}

export interface Tenant {
  readonly applicationId: string;
  readonly apiKey: string;
  readonly accountId: number;
  readonly bearers: readonly string[];
}

/** Applications with a service of their own, an imported account and tokens exchanged for it; all by the public API. */
export async function createTenants(server: BulkheadServer, options: TenantOptions): Promise<Tenant[]> {
  const meta = `Bearer ${server.metaToken}`;
  const tenants: Tenant[] = [];
  for (let at = 0; at < options.applications; at += 1) {
    const application = await server.call('POST', '/v1/meta/applications', meta, { name: `Customer ${at}` });
    const apiKey: string = application.default_api_key.key;
    await server.call('POST', `/v1/meta/applications/${application.id}/services`, meta, {
      id: 'files',
      friendly_name: 'Files',
      apis: ['raw'],
      auth: { type: 'api_key', in: 'header', name: 'X-Api-Key' },
      api: { base_url: `${options.upstreamUrl}/api` },
      identity: { url: `${options.upstreamUrl}/api/me`, id: '/id', name: '/name' },
    });
    const account = await server.call('POST', '/v1/accounts', `APIKey ${apiKey}`, {
      account: `ada-${at}@customer.example`,
      service: 'files',
      token: `upstream-key-${at}`,
      custom_properties: { plan: 'gold' },
    });
    const bearers: string[] = [];
    for (let token = 0; token < options.tokens; token += 1) {
      const form = exchangeForm(apiKey, account.id);
      const answer = await fetch(`${server.url}/v1/oauth/token`, {
        method: 'POST',
        headers: { authorization: `APIKey ${apiKey}` },
        body: form,
      });
      const issued = (await answer.json()) as { access_token?: string };
      if (issued.access_token === undefined) throw new Error(`no token: ${JSON.stringify(issued)}`);
      bearers.push(issued.access_token);
    }
    tenants.push({ applicationId: application.id, apiKey, accountId: account.id, bearers });
  }
  return tenants;
}

/** RFC 8693: an API key becomes a token of one account. */
export function exchangeForm(apiKey: string, accountId: number): URLSearchParams {
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: apiKey,
    subject_token_type: 'urn:bulkhead:token-type:api-key',
    account_id: String(accountId),
    expires_in: '86400',
  });
}

/** The same as a request for a load generator, one of each tenant in turn. */
export function exchangeRequests(tenants: readonly Tenant[]): {
  readonly method: 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}[] {
  return tenants.map(({ apiKey, accountId }) => ({
    method: 'POST',
    path: '/v1/oauth/token',
    headers: { authorization: `APIKey ${apiKey}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: exchangeForm(apiKey, accountId).toString(),
  }));
}
