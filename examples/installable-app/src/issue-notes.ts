import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import {
  type AppKit,
  answerNode,
  createAppKit,
  type CreateAppKitOptions,
  defineDescriptor,
  guardNode,
  type TenantClient,
} from '@bulkhead/app-kit';

export const APP_KEY = 'issue-notes';

export interface Note {
  readonly text: string;
  /** The user's id at the host, if the host named one. */
  readonly by: string | null;
}

/** An App that keeps notes on a host's issues: each tenant's own, in that tenant's records. */
export interface IssueNotes {
  readonly kit: AppKit;
  readonly listener: RequestListener;
}

type Options = Omit<CreateAppKitOptions, 'descriptor'> & { readonly baseUrl: string };

export function createIssueNotes({ baseUrl, ...options }: Options): IssueNotes {
  const descriptor = defineDescriptor({
    key: APP_KEY,
    name: 'Issue notes',
    baseUrl,
    scopes: ['READ'],
    modules: {
      webPanels: [{ key: 'notes', name: { value: 'Notes' }, location: 'issue-panel', url: '/notes?issue={issue.key}' }],
      webhooks: [{ event: 'issue_deleted', url: '/issue-deleted' }],
    },
  });
  const kit = createAppKit({ ...options, descriptor });
  return {
    kit,
    listener: (request, response) => {
      answer(kit, request, response).catch(() => {
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
    },
  };
}

async function answer(kit: AppKit, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Descriptor, installed, uninstalled, enabled, disabled.
  if (await answerNode(kit, request, response)) return;
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://app');
  const route = `${request.method} ${pathname}`;

  if (route === 'GET /notes') {
    // A browser may load the panel again while its token lasts.
    const caller = await guardNode(kit, { token: 'request', repeatable: true }, request, response);
    if (caller !== null) sendPage(response, caller.tenant.baseUrl, kit.issueSession(caller), searchParams.get('issue') ?? '');
    return;
  }
  if (route === 'POST /issue-deleted') {
    const caller = await guardNode(kit, { token: 'request' }, request, response);
    if (caller === null) return;
    const { issue } = await readJson(request);
    if (isIssueKey(issue)) await notesOn(kit.tenant(caller.tenant), issue).clear();
    return sendJson(response, 200, {});
  }
  if (route === 'GET /api/notes' || route === 'POST /api/notes') {
    const caller = await guardNode(kit, { token: 'session' }, request, response);
    if (caller === null) return;
    const issue = searchParams.get('issue');
    if (!isIssueKey(issue)) return sendJson(response, 400, { message: 'issue: a key' });
    const notes = notesOn(kit.tenant(caller.tenant), issue);
    if (request.method === 'POST') {
      const { text } = await readJson(request);
      if (typeof text !== 'string' || text.length === 0 || text.length > 2_000)
        return sendJson(response, 400, { message: 'text: 1 to 2000' });
      await notes.add({ text, by: caller.accountId });
    }
    return sendJson(response, 200, { notes: await notes.list() });
  }
  sendJson(response, 404, { message: 'not found' });
}

/** The notes on one issue of one tenant. No argument could name another tenant: its records know whose they are. */
export function notesOn({ records }: TenantClient, issue: string) {
  const prefix = `note/${issue}/`;
  return {
    add: ({ text, by }: Note) => records.put(`${prefix}${Date.now()}-${randomUUID()}`, { text, by }),
    list: async () => (await records.list({ prefix })).map(({ value }) => value as unknown as Note),
    clear: async () => {
      for (const { key } of await records.list({ prefix, limit: 1_000 })) await records.delete(key);
    },
  };
}

const isIssueKey = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z0-9-]{1,80}$/.test(value);

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) if ((text += chunk).length > 20_000) return {};
  try {
    return { ...(JSON.parse(text) as object) };
  } catch {
    return {};
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body));
}

/**
 * Nothing of the request stands in the page's markup: the script reads the issue from its own address. `all.js` is the host's, by which its frame
 * knows that the page is there and how high it is.
 */
function sendPage(response: ServerResponse, hostBaseUrl: string, session: string, issue: string): void {
  if (!isIssueKey(issue)) return sendJson(response, 400, { message: 'issue: a key' });
  const nonce = randomUUID();
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'content-security-policy': `default-src 'none'; connect-src 'self'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; frame-ancestors ${new URL(hostBaseUrl).origin}`,
  });
  response.end(`<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Notes</title><style nonce="${nonce}">body { margin: 1rem; font: 1rem/1.5 system-ui; } input { font: inherit; width: 60%; } button { font: inherit; }</style><script nonce="${nonce}" src="${hostBaseUrl}/atlassian-connect/all.js"></script><ul id="notes"></ul><form id="form"><input id="text" maxlength="2000" required><button>Add</button></form>
<script nonce="${nonce}">
const api = 'api/notes?issue=' + encodeURIComponent(new URLSearchParams(location.search).get('issue'));
const call = async (init) => {
  const answer = await fetch(api, { ...init, headers: { authorization: 'Bearer ${session}', 'content-type': 'application/json' } });
  const { notes = [] } = await answer.json();
  document.getElementById('notes').replaceChildren(...notes.map(({ text }) => Object.assign(document.createElement('li'), { textContent: text })));
  document.getElementById('form').reset();
  globalThis.AP?.resize?.('100%', document.body.offsetHeight + 32);
};
document.getElementById('form').addEventListener('submit', (event) => {
  event.preventDefault();
  call({ method: 'POST', body: JSON.stringify({ text: document.getElementById('text').value }) });
});
call();
</script>`);
}
