import type pg from 'pg';
import { applicationId } from '@bulkhead/base';
import type { Lab } from '../lab.ts';
import { type BulkheadServer, startBulkhead } from './bulkhead.ts';
import { filler } from './fill.ts';

export const OAUTH_KEYS = 50;
export const WEBHOOKS = 20;
const REDIRECT_URIS = 5;

export interface CloneStack extends AsyncDisposable {
  readonly client: pg.Client;
  readonly source: string;
  readonly organizationId: string;
  /** Milliseconds of one clone by the Meta API. */
  readonly clone: () => Promise<number>;
  /** Milliseconds of one clone by the SQL function. */
  readonly copyRows: () => Promise<number>;
}

// The rows of a clone and nothing else: no scope, no sealing, no checks. Secrets are copied as they are, which the product must not.
const COPY_ROWS = `
create function bench_copy_rows(source text, copy text) returns void language sql as $$
  insert into applications (application_id, organization_id, name, source_application_id, source_revision)
    select copy, organization_id, name, application_id, revision from applications where application_id = source;
  insert into branding (application_id, display_name) select copy, display_name from branding where application_id = source;
  insert into event_settings (application_id, retention_hours) select copy, retention_hours from event_settings where application_id = source;
  insert into data_keys (application_id, version, root_key_id, wrapped_key)
    select copy, version, root_key_id, wrapped_key from data_keys where application_id = source;
  insert into custom_services (application_id, service, definition, callback_id)
    select copy, service, definition, md5(random()::text) from custom_services where application_id = source;
  insert into oauth_keys (application_id, oauth_key_id, service, client_id, client_secret_sealed, scopes)
    select copy, md5(random()::text), service, client_id, client_secret_sealed, scopes from oauth_keys where application_id = source;
  insert into redirect_uris (application_id, redirect_uri_id, url)
    select copy, md5(random()::text), url from redirect_uris where application_id = source;
  insert into webhooks (application_id, webhook_id, url, format, events, secret_sealed)
    select copy, md5(random()::text), url, format, events, secret_sealed from webhooks where application_id = source;
  insert into api_keys (application_id, api_key_id, key_hash, shortened)
    values (copy, md5(random()::text), sha256(md5(random()::text)::bytea), 'bhk_…');
$$`;

/** A template with 50 services and their OAuth keys, 20 webhooks and 5 redirect URIs, and two ways to copy it. */
export async function cloneStack(lab: Lab, name: string): Promise<CloneStack> {
  const stack = new AsyncDisposableStack();
  const urls = stack.use(await (await lab.cluster()).database(name));
  const client = stack.use(await filler(urls));
  await client.query('set session_replication_role = origin');
  await client.query(COPY_ROWS);
  const server = stack.use(await startBulkhead(urls));
  const source = await createTemplate(server);
  const { rows } = await client.query<{ organization_id: string }>('select organization_id from applications');
  const timed = async (act: () => Promise<unknown>): Promise<number> => {
    const startedAt = performance.now();
    await act();
    return performance.now() - startedAt;
  };
  return {
    client,
    source,
    organizationId: rows[0]!.organization_id,
    clone: () => timed(() => server.call('POST', '/v1/meta/applications', `Bearer ${server.metaToken}`, { name: 'Clone', source })),
    copyRows: () =>
      timed(() => client.query({ name: 'copy', text: 'select bench_copy_rows($1, $2)', values: [source, applicationId.generate()] })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function createTemplate(server: BulkheadServer): Promise<string> {
  const meta = `Bearer ${server.metaToken}`;
  const application = await server.call('POST', '/v1/meta/applications', meta, { name: 'Template' });
  const below = `/v1/meta/applications/${application.id}`;
  for (let at = 0; at < OAUTH_KEYS; at += 1) {
    const host = `https://service-${at}.example`;
    await server.call('POST', `${below}/services`, meta, {
      id: `service${at}`,
      friendly_name: `Service ${at}`,
      apis: ['raw'],
      auth: {
        type: 'oauth2',
        authorization_endpoint: `${host}/authorize`,
        token_endpoint: `${host}/token`,
        scopes: ['files.read'],
        pkce: true,
        token_endpoint_auth_method: 'client_secret_basic',
      },
      api: { base_url: `${host}/api` },
      identity: { url: `${host}/api/me`, id: '/id', name: '/name' },
    });
    await server.call('POST', `${below}/oauth_keys`, meta, {
      service: `service${at}`,
      client_id: `client-${at}`,
      client_secret: `secret-${at}`,
    });
  }
  for (let at = 0; at < WEBHOOKS; at += 1)
    await server.call('POST', `${below}/webhooks`, meta, { url: `https://customer.example/hook/${at}` });
  for (let at = 0; at < REDIRECT_URIS; at += 1)
    await server.call('POST', `${below}/redirect_uris`, meta, { url: `https://customer.example/callback/${at}` });
  return application.id;
}
