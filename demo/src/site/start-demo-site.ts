import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Clock, type Log, PlatformError } from '@bulkhead/base';
import type { DemoApp, DemoFunctions } from '../app/index.ts';
import { bulkheadClient, type Fetch, heldCredential } from '../company/index.ts';
import { MODULE_LINKS } from '../company/requests.ts';
import type { Receiver } from '../receiver/index.ts';
import type { DemoUpstream } from '../upstream/index.ts';
import { asset, plain, readForm, seeOther } from './answers.ts';
import { AppSteps } from './app-steps.ts';
import { CompanyServer } from './company-server.ts';
import { guideAt } from './guides.ts';
import { demoPage } from './page.ts';
import { Recorder } from './recorder.ts';
import { stepTexts } from './step-texts.ts';
import { customers, type Lane, type Outcome, type ServiceId, serviceIds, type StepName, stepNames, type Visit, Visits } from './visit.ts';

const HOST = '127.0.0.1';

export interface DemoSiteOptions {
  /** Where browsers reach Bulkhead, which is also where this site's server calls it. */
  readonly bulkheadUrl: string;
  readonly metaToken: string;
  readonly upstream: DemoUpstream;
  /** Where the webhooks of its Applications lead. */
  readonly receiver: Receiver;
  /** Begins with this site: from then on it may be installed. */
  readonly app: DemoApp;
  /** Code of the App that runs at Bulkhead. Default: it has none. */
  readonly functions?: DemoFunctions;
  /** Of the App; default: the machine's. */
  readonly clock?: Clock;
  readonly log: Log;
  /** 0 or absent: any free one. */
  readonly port?: number;
  readonly fetch?: Fetch;
}

export interface DemoSite {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * The made-up company's own site, on 127.0.0.1: a page that goes through clone, connect, call, exchange, the wall and an App for two customers.
 * It reaches Bulkhead by its public HTTP API alone and keeps the Meta token and the API keys to itself.
 */
export async function startDemoSite({
  bulkheadUrl,
  metaToken,
  upstream,
  receiver,
  app,
  functions,
  clock,
  log,
  port = 0,
  fetch = globalThis.fetch,
}: DemoSiteOptions): Promise<DemoSite> {
  const server = createServer();
  server.listen(port, HOST);
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  const url = `http://${HOST}:${bound}`;
  receiver.siteUrl = url;
  app.begin({ bulkheadUrl, ...(clock === undefined ? {} : { clock }) });
  const client = bulkheadClient(bulkheadUrl, fetch);
  const parts = {
    client,
    metaToken: heldCredential('META_TOKEN', metaToken),
    upstream,
    receiver,
    app,
    functions: functions ?? null,
    redirectUri: `${url}/connected`,
    log,
  };
  const site = new Site({
    company: new CompanyServer(parts),
    apps: new AppSteps(parts),
    client,
    url,
    receiverUrl: receiver.url,
    cookie: `bulkhead_demo_${bound}`,
    sources: [new URL(client.baseUrl).origin, upstream.issuer],
  });
  server.on('request', (request, response) => {
    site.answer(request, response).catch((error: unknown) => {
      log.warn('demo page failed', { error });
      if (!response.headersSent) plain(response, 500, 'The demo is out of order. Start it again with: npm start');
      else response.destroy();
    });
  });
  return {
    url,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface SiteParts {
  readonly company: CompanyServer;
  readonly apps: AppSteps;
  readonly client: ReturnType<typeof bulkheadClient>;
  readonly url: string;
  readonly receiverUrl: string;
  readonly cookie: string;
  /** Where its forms lead in the end: browsers hold redirects after a form to the page's policy. */
  readonly sources: readonly string[];
}

class Site {
  readonly #parts: SiteParts;
  readonly #visits = new Visits();

  constructor(parts: SiteParts) {
    this.#parts = parts;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url: own } = this.#parts;
    // A name that merely points here (DNS rebinding) is not this site.
    if (request.headers.host !== new URL(own).host) return plain(response, 421, `This page is at ${own}`);
    const url = new URL(request.url ?? '/', own);
    if (request.method === 'GET' || request.method === 'HEAD') return this.#get(request, response, url);
    if (request.method !== 'POST') return plain(response, 405, 'Only GET and POST.');
    // Browsers always name the origin of a form; another site's page must not press our buttons.
    if (request.headers.origin !== own) return plain(response, 403, 'Press the buttons on this very page.');
    return this.#post(request, response, url);
  }

  #cookie(request: IncomingMessage): string | null {
    const found = (request.headers.cookie ?? '').split(/; */).find((pair) => pair.startsWith(`${this.#parts.cookie}=`));
    return found?.slice(this.#parts.cookie.length + 1) ?? null;
  }

  async #get(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const found = this.#visits.find(this.#cookie(request));
    switch (url.pathname) {
      case '/': {
        const visit = found ?? this.#visits.begin();
        await this.#parts.apps.refresh(visit);
        this.#page(response, visit, found === null);
        // Told once: a reload says nothing new.
        visit.news = '';
        return undefined;
      }
      case '/connected':
        return this.#connected(response, found, url.searchParams);
      case '/site.css':
        return asset(response, join(import.meta.dirname, 'assets/site.css'), 'text/css; charset=utf-8');
      case '/copy.js':
        return asset(response, join(import.meta.dirname, 'assets/copy.js'), 'text/javascript; charset=utf-8');
      case '/site.js':
        return asset(response, join(import.meta.dirname, 'assets/site.js'), 'text/javascript; charset=utf-8');
      default:
        return this.#guide(response, url.pathname);
    }
  }

  async #guide(response: ServerResponse, path: string): Promise<void> {
    const text = await guideAt(path);
    return text === null ? plain(response, 404, `There is nothing here. The demo is at ${this.#parts.url}/`) : plain(response, 200, text);
  }

  #page(response: ServerResponse, visit: Visit, isNew: boolean): void {
    const { client, company, cookie, receiverUrl, sources } = this.#parts;
    const text = demoPage({ visit, bulkheadUrl: client.baseUrl, receiverUrl, templateCalls: company.templateCalls });
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': `default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self' ${sources.join(' ')}; base-uri 'none'; frame-ancestors 'none'`,
      // Not "no-referrer": that would take the origin from our own forms too.
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      ...(isNew ? { 'set-cookie': `${cookie}=${visit.id}; Path=/; HttpOnly; SameSite=Lax` } : {}),
    });
    response.end(text);
  }

  async #post(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const form = await readForm(request);
    if (form === null) return plain(response, 413, 'That is too long.');
    const visit = this.#visits.find(this.#cookie(request));
    // The server was started anew, or cookies are off.
    if (visit === null) return seeOther(response, '/');
    if (url.pathname === '/reset') return this.#reset(response, visit);
    const [, key, step] = url.pathname.split('/');
    const lane = customers.some((customer) => customer.key === key) ? visit.lanes[key as Lane['customer']['key']] : null;
    if (lane !== null && step === 'panel') return this.#panel(response, visit, lane);
    if (lane !== null && step === 'note') return this.#note(response, visit, lane, form.get('text') ?? '');
    const name = stepNames.find((each) => each === step);
    if (lane === null || name === undefined) return plain(response, 404, 'There is no such step.');
    if (name === 'connect') return this.#connect(response, visit, lane, form.get('service') === 'lantern' ? ['lantern'] : serviceIds);
    await this.#run(visit, lane, name, (record) => this.#step(visit, lane, name, record));
    return seeOther(response, `/#${name}-${lane.customer.key}`);
  }

  async #step(visit: Visit, lane: Lane, step: Exclude<StepName, 'connect'>, record: Recorder): Promise<Outcome | null> {
    const { company, apps } = this.#parts;
    switch (step) {
      case 'clone':
        return lane.application === null ? company.clone(lane, record) : null;
      case 'call':
        return company.call(lane, record);
      case 'exchange':
        return company.exchange(lane, record);
      case 'wall':
        return company.tryWall(visit, lane, record);
      case 'app':
        return lane.install === null ? apps.install(lane, record) : null;
    }
  }

  /** The link stands among the requests of the App's step, the last one in the place of the one before. */
  async #panel(response: ServerResponse, visit: Visit, lane: Lane): Promise<void> {
    const { calls, ...outcome } = lane.results.get('app') ?? { calls: [], good: false, text: '' };
    let next: string | null = null;
    await this.#run(visit, lane, 'app', async (record) => {
      record.calls.push(...calls.filter(({ answer }) => answer.request.path !== MODULE_LINKS));
      next = await this.#parts.apps.openPanel(lane, record);
      return outcome;
    });
    visit.news = '';
    return seeOther(response, next ?? `/#app-${lane.customer.key}`);
  }

  /** A note stands in the step of the App, whose requests stay as they are. */
  async #note(response: ServerResponse, visit: Visit, lane: Lane, text: string): Promise<void> {
    const { calls } = lane.results.get('app') ?? { calls: [] };
    await this.#run(visit, lane, 'app', async (record) => {
      record.calls.push(...calls);
      return this.#parts.apps.writeNote(visit, lane, text);
    });
    return seeOther(response, `/#app-${lane.customer.key}`);
  }

  /** Runs one step after those before it, and keeps what it came to. Null leaves everything as it was. */
  async #run(visit: Visit, lane: Lane, step: StepName, work: (record: Recorder) => Promise<Outcome | null>): Promise<void> {
    const run = async (): Promise<void> => {
      const record = new Recorder(this.#parts.client);
      const outcome = await work(record).catch((thrown: unknown): Outcome => {
        if (thrown instanceof PlatformError) return { good: false, text: thrown.publicText };
        throw thrown;
      });
      if (outcome === null) return;
      lane.results.set(step, { ...outcome, calls: record.calls });
      visit.news = `${stepTexts[step].title}, ${lane.customer.name}: ${outcome.text}`;
    };
    const done = visit.queue.then(run);
    visit.queue = done.catch(() => undefined);
    await done;
  }

  async #connect(response: ServerResponse, visit: Visit, lane: Lane, services: readonly ServiceId[]): Promise<void> {
    let next: string | null = null;
    await this.#run(visit, lane, 'connect', async (record) => {
      next = await this.#parts.company.beginConnect(lane, services, record);
      return null;
    });
    return seeOther(response, next ?? `/#connect-${lane.customer.key}`);
  }

  async #connected(response: ServerResponse, visit: Visit | null, answer: URLSearchParams): Promise<void> {
    const lanes = visit === null ? [] : Object.values(visit.lanes);
    const lane = lanes.find(({ pending }) => pending !== null && pending.flow.state === answer.get('state'));
    if (visit === null || lane === undefined)
      return plain(response, 400, `This answer belongs to no request of this browser. Go on at ${this.#parts.url}/`);
    await this.#run(visit, lane, 'connect', (record) => this.#parts.company.endConnect(lane, answer, record));
    return seeOther(response, `/#connect-${lane.customer.key}`);
  }

  async #reset(response: ServerResponse, visit: Visit): Promise<void> {
    this.#visits.end(visit.id);
    await this.#parts.company.forget(visit).catch(() => undefined);
    return seeOther(response, '/');
  }
}
