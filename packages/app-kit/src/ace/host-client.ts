import type { TenantClient } from '../tenant-client.ts';

/** What callers of atlassian-connect-express pass: a path, or the options of the `request` library as far as Apps use them. */
export interface AceCallOptions {
  readonly uri?: string;
  readonly url?: string;
  readonly qs?: Readonly<Record<string, string | number | boolean>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
  /** True: the answer is JSON. A value: it is sent as JSON, too. */
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
}

export interface AceResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed where `json` was given and it is JSON. */
  readonly body: unknown;
}

export type AceCallback = (failure: unknown, response?: AceResponse, body?: unknown) => void;
type AceCall = (options: string | AceCallOptions, callback?: AceCallback) => Promise<AceResponse>;

/** `httpClient()` under its old names. Each call answers a promise, and the callback where one is given. */
export interface AceHttpClient {
  readonly get: AceCall;
  readonly post: AceCall;
  readonly put: AceCall;
  readonly del: AceCall;
  readonly head: AceCall;
  readonly patch: AceCall;
  asUserByAccountId(accountId: string): AceHttpClient;
}

export function aceHttpClient(find: () => Promise<TenantClient>, accountId?: string): AceHttpClient {
  const method =
    (name: string): AceCall =>
    (options, callback) => {
      const answer = call(find, accountId, name, typeof options === 'string' ? { uri: options } : options);
      if (callback === undefined) return answer;
      answer.then(
        (response) => callback(null, response, response.body),
        (failure: unknown) => callback(failure),
      );
      // Who has a callback does not look at the promise; its failure was told.
      return answer.catch(() => ({ statusCode: 0, headers: {}, body: null }));
    };
  return {
    get: method('GET'),
    post: method('POST'),
    put: method('PUT'),
    del: method('DELETE'),
    head: method('HEAD'),
    patch: method('PATCH'),
    asUserByAccountId: (user) => aceHttpClient(find, user),
  };
}

async function call(
  find: () => Promise<TenantClient>,
  accountId: string | undefined,
  method: string,
  options: AceCallOptions,
): Promise<AceResponse> {
  const { uri, url, qs, headers = {}, json } = options;
  const tenant = await find();
  const sent = bodyOf(options);
  const answer = await (accountId === undefined ? tenant : tenant.asUser(accountId)).fetch(withQuery(uri ?? url ?? '', qs), {
    method,
    headers: {
      ...(sent === null ? {} : { 'content-type': sent.type }),
      ...(json === undefined ? {} : { accept: 'application/json' }),
      ...headers,
    },
    ...(sent === null || method === 'GET' || method === 'HEAD' ? {} : { body: sent.text }),
  });
  const text = await answer.text();
  return { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body: json === undefined ? text : parsedOr(text) };
}

function bodyOf({ body, json, form }: AceCallOptions): { readonly type: string; readonly text: string } | null {
  if (form !== undefined) return { type: 'application/x-www-form-urlencoded', text: new URLSearchParams(form).toString() };
  if (json !== undefined && typeof json !== 'boolean') return { type: 'application/json', text: JSON.stringify(json) };
  if (body === undefined) return null;
  return typeof body === 'string' ? { type: 'text/plain', text: body } : { type: 'application/json', text: JSON.stringify(body) };
}

function withQuery(uri: string, qs: AceCallOptions['qs']): string {
  if (qs === undefined) return uri;
  const query = new URLSearchParams(Object.entries(qs).map(([name, value]): [string, string] => [name, String(value)])).toString();
  return query === '' ? uri : `${uri}${uri.includes('?') ? '&' : '?'}${query}`;
}

function parsedOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
