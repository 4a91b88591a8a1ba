import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Log } from '@bulkhead/base';
import type { Customer } from '../company/index.ts';
import { asset, plain, readBody, seeOther } from '../site/answers.ts';
import { Arrivals } from './arrivals.ts';
import { arrivalView, receiverPage } from './receiver-page.ts';
import { takeWebhook } from './take-webhook.ts';

const HOST = '127.0.0.1';
/** Bulkhead sends a few kilobytes. */
const BODY_BYTES_MAX = 65_536;

/** The company's server for webhooks, on 127.0.0.1. */
export interface Receiver {
  /** Of the page that shows what arrives. */
  readonly url: string;
  /** `host:port`, for whoever must allow calls to it. */
  readonly address: string;
  /** Where the webhook of an Application leads. */
  hookUrl(applicationId: string): string;
  /** Told once the webhook is made: whose it is and what its calls are signed with. */
  expect(applicationId: string, customer: Customer, signingSecret: string): void;
  /** Where the page leads back to. */
  siteUrl: string | null;
  close(): Promise<void>;
}

export async function startReceiver({ log, port = 0 }: { readonly log: Log; readonly port?: number }): Promise<Receiver> {
  const server = createServer();
  server.listen(port, HOST);
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  const receiver = new ReceiverSite(`${HOST}:${bound}`);
  server.on('request', (request, response) => {
    receiver.answer(request, response).catch((error: unknown) => {
      log.warn('demo receiver failed', { error });
      if (!response.headersSent) plain(response, 500, 'The demo is out of order. Start it again with: npm start');
      else response.destroy();
    });
  });
  return Object.assign(receiver, {
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  });
}

class ReceiverSite implements Omit<Receiver, 'close'> {
  readonly url: string;
  readonly address: string;
  readonly #expected = new Map<string, { readonly customer: Customer; readonly signingSecret: string }>();
  readonly #arrivals = new Arrivals();
  siteUrl: string | null = null;

  constructor(address: string) {
    this.address = address;
    this.url = `http://${address}`;
  }

  hookUrl(applicationId: string): string {
    return `${this.url}/hooks/${applicationId}`;
  }

  expect(applicationId: string, customer: Customer, signingSecret: string): void {
    this.#expected.set(applicationId, { customer, signingSecret });
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A name that merely points here (DNS rebinding) is not this server.
    if (request.headers.host !== this.address) return plain(response, 421, `This page is at ${this.url}`);
    const url = new URL(request.url ?? '/', this.url);
    if (request.method === 'POST') return this.#post(request, response, url);
    if (request.method !== 'GET' && request.method !== 'HEAD') return plain(response, 405, 'Only GET and POST.');
    switch (url.pathname) {
      case '/':
        return this.#page(response);
      case '/stream':
        return this.#stream(request, response, Number(request.headers['last-event-id'] ?? url.searchParams.get('after')) || 0);
      case '/site.css':
        return asset(response, join(import.meta.dirname, '../site/assets/site.css'), 'text/css; charset=utf-8');
      case '/receiver.css':
        return asset(response, join(import.meta.dirname, 'assets/receiver.css'), 'text/css; charset=utf-8');
      case '/copy.js':
        return asset(response, join(import.meta.dirname, '../site/assets/copy.js'), 'text/javascript; charset=utf-8');
      case '/receiver.js':
        return asset(response, join(import.meta.dirname, 'assets/receiver.js'), 'text/javascript; charset=utf-8');
      default:
        return plain(response, 404, `There is nothing here. The page is at ${this.url}/`);
    }
  }

  async #post(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (url.pathname === '/forge') return this.#forge(request, response);
    const applicationId = /^\/hooks\/(\w+)$/.exec(url.pathname)?.[1];
    const body = await readBody(request, BODY_BYTES_MAX);
    if (body === null) return plain(response, 413, 'That is too long.');
    const expected = applicationId === undefined ? undefined : this.#expected.get(applicationId);
    // Cloned before this server began: it does not know the secret any more. Gone, so Bulkhead asks no more.
    if (expected === undefined) return plain(response, 410, 'No webhook of this server.');
    const taken = takeWebhook(expected.signingSecret, request.headers, body);
    this.#arrivals.add(expected.customer, taken);
    return plain(response, taken.status, taken.refused ?? 'ok');
  }

  /** What anybody can send who knows the URL and not the secret. */
  async #forge(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Another site's page must not press our button.
    if (request.headers.origin !== this.url) return plain(response, 403, 'Press the button on this very page.');
    const [applicationId, expected] = [...this.#expected].at(-1) ?? [];
    if (applicationId !== undefined && expected !== undefined) {
      const timestamp = String(Math.floor(Date.now() / 1_000));
      const data = { id: 'evt_forged', application_id: applicationId, account_id: 1, detail: {} };
      const body = JSON.stringify({ type: 'account.deleted', timestamp: new Date().toISOString(), data });
      const headers = { 'webhook-id': data.id, 'webhook-timestamp': timestamp, 'webhook-signature': 'v1,bm90IGEgc2lnbmF0dXJl' };
      this.#arrivals.add(expected.customer, takeWebhook(expected.signingSecret, headers, body));
    }
    return seeOther(response, '/');
  }

  async #page(response: ServerResponse): Promise<void> {
    const code = await readFile(join(import.meta.dirname, 'take-webhook.ts'), 'utf8');
    const text = receiverPage({ arrivals: this.#arrivals.after(0), code, siteUrl: this.siteUrl });
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy':
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    });
    response.end(text);
  }

  /** Server-sent events: what came after `number`, then what comes, until the reader leaves. */
  #stream(request: IncomingMessage, response: ServerResponse, number: number): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    const send = (arrival: Parameters<typeof arrivalView>[0]) =>
      void response.write(`event: arrival\nid: ${arrival.number}\ndata: ${JSON.stringify(arrivalView(arrival).text)}\n\n`);
    response.write('retry: 1000\n\n');
    this.#arrivals.after(number).forEach(send);
    request.once('close', this.#arrivals.listen(send));
  }
}
