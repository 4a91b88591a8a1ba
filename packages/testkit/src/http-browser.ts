/** Where a browser has come: a page, or an address outside of what it was told to follow. */
export interface Visit {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const HOPS_MAX = 15;

/** A browser without a screen: keeps cookies per host and path, follows redirects between the hosts it knows, sends forms. */
export class HttpBrowser {
  readonly #cookies = new Map<string, { readonly host: string; readonly path: string; readonly pair: string }>();
  /** Redirects to another origin than these end the walk: that is where the answer went. */
  readonly #origins: ReadonlySet<string>;

  constructor(...urls: readonly string[]) {
    this.#origins = new Set(urls.map((url) => new URL(url).origin));
  }

  /** The Cookie header it would send. */
  cookieFor(address: string): string {
    const { hostname, pathname } = new URL(address);
    return [...this.#cookies.values()]
      .filter(({ host, path }) => host === hostname && pathname.startsWith(path))
      .map(({ pair }) => pair)
      .join('; ');
  }

  /** Follows redirects until a page, or an address outside. */
  async open(address: string): Promise<Visit> {
    let visit = await this.step(address);
    for (let hops = 0; hops < HOPS_MAX; hops++) {
      const location = visit.headers.get('location');
      if (location === null) return visit;
      const next = new URL(location, visit.url);
      if (!this.#origins.has(next.origin)) return { ...visit, url: next.href };
      visit = await this.step(next.href);
    }
    throw new Error(`The redirects from ${address} do not end.`);
  }

  /** Sends a form and goes where the answer leads. */
  async submit(address: string, fields: Readonly<Record<string, string>>): Promise<Visit> {
    const visit = await this.step(address, {
      method: 'POST',
      body: new URLSearchParams(fields),
      headers: { origin: new URL(address).origin, 'sec-fetch-site': 'same-origin' },
    });
    const location = visit.headers.get('location');
    if (location === null) return visit;
    const next = new URL(location, visit.url);
    return this.#origins.has(next.origin) ? this.open(next.href) : { ...visit, url: next.href };
  }

  /** One request, no redirect followed. */
  async step(
    address: string,
    init: { readonly method?: string; readonly body?: URLSearchParams; readonly headers?: Record<string, string> } = {},
  ): Promise<Visit> {
    const cookie = this.cookieFor(address);
    const response = await fetch(address, {
      ...init,
      redirect: 'manual',
      headers: { accept: 'text/html', ...(cookie === '' ? {} : { cookie }), ...init.headers },
    });
    const { hostname } = new URL(address);
    for (const line of response.headers.getSetCookie()) this.#keep(hostname, line);
    return { url: address, status: response.status, headers: response.headers, text: await response.text() };
  }

  #keep(host: string, line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/';
    const ended = attributes.some((attribute) => /^max-age=0$/i.test(attribute)) || pair.endsWith('=');
    const key = `${host}|${path}|${pair.slice(0, pair.indexOf('='))}`;
    if (ended) this.#cookies.delete(key);
    else this.#cookies.set(key, { host, path, pair });
  }
}

/** The action of the page's form that holds `field`, with what its hidden fields say. Null where there is none. */
export function formWith(
  page: string,
  field: string,
): { readonly action: string; readonly hidden: Readonly<Record<string, string>> } | null {
  for (const [form] of page.matchAll(/<form[^>]*>[\s\S]*?<\/form>/g)) {
    if (!new RegExp(`name="${field}"`).test(form)) continue;
    const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(
      ([, name = '', value = '']) => [name, value] as const,
    );
    return { action: /action="([^"]*)"/.exec(form)?.[1] ?? '', hidden: Object.fromEntries(hidden) };
  }
  return null;
}
