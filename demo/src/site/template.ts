import type { Log } from '@bulkhead/base';
import type { DemoApp } from '../app/index.ts';
import { type BulkheadClient, type HeldCredential, textAt, valueAt } from '../company/index.ts';
import * as requests from '../company/requests.ts';
import type { Receiver } from '../receiver/index.ts';
import type { DemoUpstream } from '../upstream/index.ts';
import { type RecordedCall, Recorder } from './recorder.ts';

const DESCRIPTION = 'Made by the demo page of Bulkhead; it is deleted when the page is used after the next start.';

export interface CompanyParts {
  readonly client: BulkheadClient;
  readonly metaToken: HeldCredential;
  readonly upstream: DemoUpstream;
  readonly receiver: Receiver;
  readonly app: DemoApp;
  readonly redirectUri: string;
  readonly log: Log;
}

/** The one configuration that all customers of all visitors are cloned from. */
export class Template {
  readonly #parts: CompanyParts;
  #made: Promise<string> | null = null;
  /** The requests that made it. */
  calls: readonly RecordedCall[] = [];

  constructor(parts: CompanyParts) {
    this.#parts = parts;
  }

  /** It is gone: the next to ask makes another. */
  forget(): void {
    this.#made = null;
  }

  /** Its id. It is made when first asked for; when that fails, when next asked for. */
  id(): Promise<string> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = null;
      throw error;
    });
    return this.#made;
  }

  async #make(): Promise<string> {
    const { client, metaToken, upstream, redirectUri } = this.#parts;
    await this.#deleteLeftovers();
    const record = new Recorder(client);
    const id = textAt(await record.need('An Application to copy from', requests.createTemplate(metaToken, DESCRIPTION), 201), 'id');
    const harbour = await record.need(
      'Harbour Files: an OAuth service, described as data',
      requests.addHarbour(metaToken, id, upstream),
      201,
    );
    upstream.registerRedirectUri(textAt(harbour, 'callback_url'));
    await record.need('Lantern Notes: a service with API keys', requests.addLantern(metaToken, id, upstream), 201);
    await record.need('The client id and secret that Harbour Files gave to Paperboat', requests.addOAuthKey(metaToken, id, upstream), 201);
    await record.need('Where browsers come back to', requests.addRedirectUri(metaToken, id, redirectUri), 201);
    this.calls = record.calls;
    return id;
  }

  /** What this page made before an earlier stop. Told by its description, which nobody else writes. */
  async #deleteLeftovers(): Promise<void> {
    const { client, metaToken, log } = this.#parts;
    const answer = await client.send(requests.listApplications(metaToken));
    const objects = valueAt(answer, 'objects');
    const ours = (Array.isArray(objects) ? (objects as { id?: unknown; description?: unknown }[]) : []).filter(
      ({ description }) => description === DESCRIPTION,
    );
    for (const { id } of ours) await client.send(requests.deleteApplication(metaToken, String(id)));
    if (ours.length > 0) log.debug('demo leftovers deleted', { count: ours.length });
  }
}
