import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AppKit, answerNode, bulkhead, createAppKit, defineDescriptor, guardNode, memoryTenantStore, Secret } from '@bulkhead/app-kit';

/** What the App's back end said to one call of its page. */
interface Heard {
  readonly path: string;
  readonly status: number;
  readonly clientKey: string | null;
  readonly accountId: string | null;
}

/** An App written with app-kit whose pages use the AP JavaScript of their host. */
export interface PanelApp extends AsyncDisposable {
  readonly key: string;
  readonly url: string;
  readonly address: string;
  readonly heard: Heard[];
  /** Answers of the remote condition; null answers nothing usable. */
  shouldDisplay: unknown;
  kit: AppKit | null;
}

const pages = (listed: readonly (readonly [key: string, extra: object])[]) =>
  listed.map(([key, extra]) => ({ key, name: { value: `Page ${key}` }, url: `/page?is=${key}&issue={issue.key}`, ...extra }));

/** Starts it; `install` makes it ready for a host, whose URL is known later. */
export async function startPanelApp(key = 'panel-app', name = 'Panel App'): Promise<PanelApp & { at(host: string): void }> {
  const heard: Heard[] = [];
  let host = '';
  const server: Server = createServer((request, response) => {
    void answer(request, response).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `http://${address}`;
  const app = {
    key,
    url,
    address,
    heard,
    shouldDisplay: { shouldDisplay: true } as unknown,
    kit: null as AppKit | null,
    at(hostUrl: string) {
      host = hostUrl;
      app.kit = createAppKit({
        descriptor: defineDescriptor({
          key,
          name,
          baseUrl: url,
          scopes: ['READ'],
          modules: {
            generalPages: pages([
              ['main', {}],
              ['hidden', { conditions: [{ condition: 'user_is_admin' }] }],
              ['asked', { conditions: [{ condition: '/should-display' }] }],
              ['elsewhere', { url: '/page?is=elsewhere&xdm_e=https%3A%2F%2Fevil.example&cp=%2Fevil' }],
              ['markup', { name: { value: '</script><img src=x onerror=window.broken=1>' }, url: '/page?is=markup&text={text}' }],
            ]),
            dialogs: [{ key: 'ask', url: '/page?is=ask' }],
          },
        }),
        issuers: [bulkhead(hostUrl)],
        store: memoryTenantStore({ appKey: key }),
        sessionSecret: new Secret('a session secret of thirty-two characters'),
      });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { kit } = app;
    if (kit === null || (await answerNode(kit, request, response))) return;
    const { pathname, searchParams } = new URL(request.url ?? '/', url);
    const token = pathname === '/api/context' ? 'context' : 'request';
    response.on('finish', () => heard.push({ path: request.url ?? '', status: response.statusCode, clientKey, accountId }));
    let clientKey: string | null = null;
    let accountId: string | null = null;
    const caller = await guardNode(kit, { token, repeatable: true }, request, response);
    if (caller === null) return;
    clientKey = caller.tenant.clientKey;
    accountId = caller.accountId;
    if (pathname === '/page') {
      response
        .writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
        .end(page(searchParams.get('is') ?? '', host));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(pathname === '/should-display' ? app.shouldDisplay : { clientKey, accountId }));
  }
  return app;
}

const page = (is: string, host: string) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${is.replaceAll(/\W/g, '')}</title>
<style>html{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif}main{padding:1rem 1.25rem}h2{margin:0 0 .5rem;font-size:1.125rem}li{margin:.25rem 0}</style>
<script src="${host}/atlassian-connect/all.js" data-options="resize:false"></script>
<main><h2>Notes</h2><ul><li>The customer asked for a later date</li><li>Waiting for the contract</li></ul><p id="said"></p></main>
<script>
window.callBack = async (path) => {
  const token = await AP.context.getToken();
  const answer = await fetch(path, { headers: { authorization: 'JWT ' + token } });
  return { token, status: answer.status, body: answer.status === 200 ? await answer.json() : null };
};
</script></html>`;
