export interface Said {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- a stranger's client knows no types.
  readonly json: any;
}

export interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  /** An object goes as JSON, URLSearchParams as a form, text as it is. */
  readonly body?: unknown;
}

/** HTTP with one base URL and headers that go with every call: all that these tests know of the platform. */
export class HttpClient {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url;
    this.#headers = headers;
  }

  as(authorization: string): HttpClient {
    return new HttpClient(this.#url, { ...this.#headers, authorization });
  }

  async call(method: string, path: string, { headers = {}, body }: Asked = {}): Promise<Said> {
    const isPlain = body === undefined || typeof body === 'string' || body instanceof URLSearchParams;
    const response = await fetch(this.#url + path, {
      method,
      redirect: 'manual',
      headers: { ...this.#headers, ...(isPlain ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: isPlain ? (body as string | URLSearchParams) : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  }

  get(path: string): Promise<Said> {
    return this.call('GET', path);
  }

  post(path: string, body?: unknown): Promise<Said> {
    return this.call('POST', path, { body });
  }

  patch(path: string, body: unknown): Promise<Said> {
    return this.call('PATCH', path, { body });
  }

  delete(path: string): Promise<Said> {
    return this.call('DELETE', path);
  }

  form(path: string, fields: Readonly<Record<string, string>>): Promise<Said> {
    return this.call('POST', path, { body: new URLSearchParams(fields) });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
