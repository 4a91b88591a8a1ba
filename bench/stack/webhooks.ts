import pg from 'pg';
import type { BulkheadServer } from './bulkhead.ts';
import type { DatabaseUrls } from './cluster.ts';

/** Applications that have events, each with a webhook to every one of the URLs. */
export async function createWebhooks(server: BulkheadServer, applications: number, urls: readonly string[]): Promise<string[]> {
  const meta = `Bearer ${server.metaToken}`;
  const ids: string[] = [];
  for (let at = 0; at < applications; at += 1) {
    const { id } = await server.call('POST', '/v1/meta/applications', meta, { name: `Customer ${at}`, events_enabled: true });
    for (const url of urls) await server.call('POST', `/v1/meta/applications/${id}/webhooks`, meta, { url, format: 'standard' });
    ids.push(id);
  }
  return ids;
}

/** Writes events as the product does, by statements of its own; the trigger makes the deliveries. */
export class EventWriter implements AsyncDisposable {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open(urls: DatabaseUrls): Promise<EventWriter> {
    const client = new pg.Client({ connectionString: urls.adminUrl });
    await client.connect();
    return new EventWriter(client);
  }

  /** In one transaction so many events of each Application. Answers when it began to commit, in milliseconds since 1970. */
  async write(applicationIds: readonly string[], each: number): Promise<number> {
    await this.#client.query('begin');
    await this.#client.query(
      `insert into events (application_id, event_id, type, account_id, at, expires_at, data)
       select id, 'evt' || replace(gen_random_uuid()::text, '-', ''), 'account.token_refreshed', 1, clock_timestamp(), now() + interval '1 day', '{}'
         from generate_series(1, $2::int), unnest($1::text[]) id`,
      [applicationIds, each],
    );
    const began = performance.timeOrigin + performance.now();
    await this.#client.query('commit');
    return began;
  }

  /** As if nothing had been sent yet. */
  async forget(): Promise<void> {
    await this.#client.query('delete from deliveries');
    await this.#client.query('delete from delivery_endpoints');
    await this.#client.query('vacuum (analyze) deliveries');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.end();
  }
}
