import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bulkhead, memoryTenantStore, Secret } from '@bulkhead/app-kit';
import { type Clock, type Log, systemClock } from '@bulkhead/base';
import { APP_KEY, createIssueNotes, type IssueNotes, notesOn } from '@bulkhead/example-installable-app';
import { plain } from '../site/answers.ts';

const HOST = '127.0.0.1';
/** What the notes of the demo are written on. */
const ISSUE = 'PAPER-1';

/** A vendor's App on 127.0.0.1, `examples/installable-app`: somebody else's program that several customers install. */
export interface DemoApp {
  readonly key: string;
  /** What notes are written on. */
  readonly issue: string;
  /** Its base URL; its descriptor is below it. */
  readonly url: string;
  readonly descriptorUrl: string;
  /** `host:port`, for whoever must allow calls to it. */
  readonly address: string;
  /** Says who may install it. Before, it answers 503: the App's address must be known to the platform before the platform's is known here. */
  begin(host: { readonly bulkheadUrl: string; readonly clock?: Clock }): void;
  /** The notes of one tenant, the oldest first; null where the App is not installed (any more). */
  notes(clientKey: string): Promise<readonly string[] | null>;
  /** Writes a note for one tenant. False where the App is not installed (any more). */
  addNote(clientKey: string, text: string): Promise<boolean>;
  /** What the App gets when it calls its host for this tenant, with this tenant's secret: ids of accounts; null as above. */
  accountsOf(clientKey: string): Promise<readonly string[] | null>;
  close(): Promise<void>;
}

export async function startDemoApp({ log, port = 0 }: { readonly log: Log; readonly port?: number }): Promise<DemoApp> {
  const server = createServer();
  server.listen(port, HOST);
  await once(server, 'listening');
  const address = `${HOST}:${(server.address() as AddressInfo).port}`;
  const url = `http://${address}`;
  let running: IssueNotes | null = null;
  server.on('request', (request, response) => {
    if (running === null) plain(response, 503, 'This App is not ready yet.');
    else running.listener(request, response);
  });
  const tenantOf = async (clientKey: string) => (running === null ? null : running.kit.findTenant(clientKey));
  return {
    key: APP_KEY,
    issue: ISSUE,
    url,
    descriptorUrl: `${url}/atlassian-connect.json`,
    address,
    begin({ bulkheadUrl, clock = systemClock }) {
      running = createIssueNotes({
        baseUrl: url,
        issuers: [bulkhead(bulkheadUrl)],
        // What it keeps ends with the demo, as the Applications of the demo do.
        store: memoryTenantStore({ appKey: APP_KEY }),
        sessionSecret: new Secret(randomBytes(32).toString('base64url')),
        clock,
        log,
      });
    },
    async notes(clientKey) {
      const tenant = await tenantOf(clientKey);
      return tenant === null ? null : (await notesOn(tenant, ISSUE).list()).map(({ text }) => text);
    },
    async addNote(clientKey, text) {
      const tenant = await tenantOf(clientKey);
      if (tenant !== null) await notesOn(tenant, ISSUE).add({ text, by: null });
      return tenant !== null;
    },
    async accountsOf(clientKey) {
      const tenant = await tenantOf(clientKey);
      if (tenant === null) return null;
      const { objects } = (await (await tenant.fetch('/rest/bulkhead/1/accounts')).json()) as { objects?: readonly { id: number }[] };
      return (objects ?? []).map(({ id }) => String(id));
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
