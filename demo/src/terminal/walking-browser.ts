import { demoErrors, type Fetch } from '../company/index.ts';
import { type PageForm, readForms } from './form.ts';

const HOPS_MAX = 20;
const TIMEOUT_MS = 15_000;

/** Where the browser has come: a page with forms, or the address that leads out. */
export interface Place {
  readonly url: string;
  readonly status: number;
  readonly page: string;
  readonly forms: readonly PageForm[];
}

/** What the person does on a page. */
export interface Choice {
  readonly button?: { readonly name: string; readonly value: string };
  readonly fill?: Readonly<Record<string, string>>;
}

/** The end user's browser, without a screen: keeps cookies per host, follows redirects, sends forms. */
export class WalkingBrowser {
  readonly #fetch: Fetch;
  /** An address that begins with this is where the walk ends; it is not opened. */
  readonly #destination: string;
  readonly #cookies = new Map<string, Map<string, string>>();

  constructor(fetch: Fetch, destination: string) {
    this.#fetch = fetch;
    this.#destination = destination;
  }

  #jar(url: string): Map<string, string> {
    const { hostname } = new URL(url);
    const jar = this.#cookies.get(hostname) ?? new Map<string, string>();
    this.#cookies.set(hostname, jar);
    return jar;
  }

  async #once(url: string, form: URLSearchParams | null): Promise<Response> {
    const jar = this.#jar(url);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await this.#fetch(url, {
      method: form === null ? 'GET' : 'POST',
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { accept: 'text/html', ...(cookie === '' ? {} : { cookie }) },
      ...(form === null ? {} : { body: form }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...flags] = line.split(';');
      const equals = pair.indexOf('=');
      const name = pair.slice(0, equals).trim();
      const ended = flags.some((flag) => /^\s*(max-age=0|expires=Thu, 01 Jan 1970.*)\s*$/i.test(flag));
      if (ended) jar.delete(name);
      else jar.set(name, pair.slice(equals + 1).trim());
    }
    return response;
  }

  /** @throws demo.no_connection where redirects go round in circles. */
  async open(url: string, form: URLSearchParams | null = null): Promise<Place> {
    let here = url;
    let body = form;
    for (let hops = 0; hops < HOPS_MAX; hops += 1) {
      const response = await this.#once(here, body);
      const page = await response.text();
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null)
        return { url: here, status: response.status, page, forms: readForms(page) };
      here = new URL(location, here).href;
      if (here.startsWith(this.#destination)) return { url: here, status: response.status, page: '', forms: [] };
      body = null;
    }
    throw demoErrors('demo.no_connection', { params: { problem: `more than ${HOPS_MAX} redirects.` } });
  }

  /** Sends the form that has this button or these fields. @throws demo.no_connection where the page has none. */
  async submit(place: Place, { button, fill = {} }: Choice): Promise<Place> {
    const form = place.forms.find(
      ({ buttons, fields }) =>
        Object.keys(fill).every((name) => fields.has(name)) &&
        (button === undefined || buttons.some(({ name, value }) => name === button.name && value === button.value)),
    );
    if (form === undefined) {
      const said = /<h1[^>]*>(.*?)<\/h1>/s
        .exec(place.page)?.[1]
        ?.replaceAll(/<[^>]*>/g, '')
        .trim();
      throw demoErrors('demo.no_connection', {
        params: { problem: `the page "${said ?? place.page.slice(0, 100)}" (${place.status}) has no such form.` },
      });
    }
    const data = new URLSearchParams([...form.fields, ...Object.entries(fill).map(([name, value]): [string, string] => [name, value])]);
    for (const [name, value] of Object.entries(fill)) data.set(name, value);
    if (button !== undefined) data.set(button.name, button.value);
    const action = new URL(form.action === '' ? place.url : form.action, place.url);
    if (form.method === 'post') return this.open(action.href, data);
    action.search = data.toString();
    return this.open(action.href);
  }
}
