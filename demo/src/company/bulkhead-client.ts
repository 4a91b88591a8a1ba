import { demoErrors } from './demo-errors.ts';
import { jsonParts } from './held-credential.ts';
import type { BulkheadAnswer, BulkheadRequest, FormValue } from './request.ts';

const TIMEOUT_MS = 15_000;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Bulkhead as any stranger sees it: over HTTP. */
export interface BulkheadClient {
  /** Without a slash at the end. */
  readonly baseUrl: string;
  /** Answers of every status are returned. @throws demo.unreachable */
  send(request: BulkheadRequest): Promise<BulkheadAnswer>;
}

function revealed(value: FormValue): string {
  return typeof value === 'string' ? value : value.secret.reveal();
}

function bodyOf(request: BulkheadRequest): { readonly type: string; readonly text: string } | null {
  if (request.json !== undefined) return { type: 'application/json', text: jsonParts(request.json).map(revealed).join('') };
  if (request.form !== undefined) {
    const pairs = Object.entries(request.form).map(([name, value]): [string, string] => [name, revealed(value)]);
    return { type: 'application/x-www-form-urlencoded', text: new URLSearchParams(pairs).toString() };
  }
  return request.text === undefined ? null : { type: 'text/plain', text: request.text };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function bulkheadClient(bulkheadUrl: string, fetch: Fetch = globalThis.fetch): BulkheadClient {
  const baseUrl = bulkheadUrl.replace(/\/+$/, '');
  return {
    baseUrl,
    async send(request) {
      const body = bodyOf(request);
      const { credential } = request;
      const init: RequestInit = {
        method: request.method,
        redirect: 'manual',
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          ...(credential === undefined ? {} : { authorization: `${credential.scheme} ${credential.held.secret.reveal()}` }),
          ...(body === null ? {} : { 'content-type': body.type }),
        },
        ...(body === null ? {} : { body: body.text }),
      };
      try {
        const response = await fetch(baseUrl + request.path, init);
        const text = await response.text();
        return { request, status: response.status, requestId: response.headers.get('x-request-id'), text, json: parsed(text) };
      } catch (cause) {
        throw demoErrors('demo.unreachable', { params: { url: baseUrl }, cause });
      }
    },
  };
}

/** The value at a path of an answer's JSON; undefined where there is none. */
export function valueAt(answer: BulkheadAnswer, ...path: readonly string[]): unknown {
  let value: unknown = answer.json;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** A text or number of an answer, as text. @throws demo.unexpected_answer */
export function textAt(answer: BulkheadAnswer, ...path: readonly string[]): string {
  const value = valueAt(answer, ...path);
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  const { method, path: address } = answer.request;
  throw demoErrors('demo.unexpected_answer', {
    params: { step: `${method} ${address}`, expected: path.join('.'), status: answer.status, message: messageOf(answer) },
  });
}

/** What an error answer says, in its own words. */
export function messageOf(answer: BulkheadAnswer): string {
  const said = valueAt(answer, 'message') ?? valueAt(answer, 'error_description') ?? valueAt(answer, 'error');
  return typeof said === 'string' ? said : answer.text.slice(0, 200);
}
