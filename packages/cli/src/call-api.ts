import { UsageError } from './usage-error.ts';

export interface AtServer {
  /** Where the server is; `API` of the environment, or the default address, where absent. */
  readonly url?: string;
  readonly json?: true;
}

const DEFAULT_URL = 'http://127.0.0.1:8400';
const TIMEOUT_MS = 30_000;

/** A call that came to nothing, as a sentence with a way out; exit code 1. */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** Whether the same call may succeed after a while. */
  readonly mayPass: boolean;
  /** Milliseconds that the server asks for; 0: it names none. */
  readonly retryAfterMs: number;

  constructor(message: string, { mayPass = false, retryAfterMs = 0 }: { mayPass?: boolean; retryAfterMs?: number } = {}) {
    super(message);
    this.mayPass = mayPass;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Calls a running server with a credential of the environment: never of an option, which every process of the machine could read. */
export class ApiCaller {
  readonly #url: string;
  readonly #variable: 'META_TOKEN' | 'API_KEY';
  readonly #authorization: string;

  /** Throws `UsageError` where the variable is not set or the URL is none. */
  constructor(variable: 'META_TOKEN' | 'API_KEY', { url }: AtServer) {
    const credential = process.env[variable];
    const where =
      variable === 'META_TOKEN'
        ? 'export META_TOKEN=$(npx bulkhead meta-tokens create --name deliveries)'
        : 'export API_KEY=bhk_… (POST /v1/meta/applications/{id}/apikeys makes one)';
    if (credential === undefined || !/^[\x21-\x7e]{1,4096}$/.test(credential))
      throw new UsageError(`This command calls a running server with the credential in ${variable}, which is not set: ${where}`);
    this.#url = (url ?? process.env['API'] ?? DEFAULT_URL).replace(/\/+$/, '');
    if (!/^https?:$/.test(URL.parse(this.#url)?.protocol ?? ''))
      throw new UsageError('--url: expected the address of a server, such as http://127.0.0.1:8400.');
    this.#variable = variable;
    this.#authorization = `${variable === 'META_TOKEN' ? 'Bearer' : 'APIKey'} ${credential}`;
  }

  /** The answer's JSON. Throws `CallError` where there is none or it is an error. */
  async call<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, timeoutMs = TIMEOUT_MS): Promise<T> {
    const hasBody = method !== 'GET' && method !== 'DELETE';
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(`${this.#url}${path}`, {
        method,
        headers: { authorization: this.#authorization, ...(hasBody && { 'content-type': 'application/json' }) },
        ...(hasBody && { body: JSON.stringify(body ?? {}) }),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      text = await answer.text();
    } catch {
      throw new CallError(`No answer from ${this.#url}. Is the server up? Another address: --url, or API in the environment.`, {
        mayPass: true,
      });
    }
    if (answer.status === 204) return undefined as T;
    const said = parsed(text) as (T & { message?: string; id?: string }) | null;
    if (answer.ok && said !== null) return said;
    throw this.#refusal(answer, said);
  }

  /** The bytes of an answer that is too large to hold, as they come. Throws `CallError` where there is none, it is an error, or it is cut. */
  async *download(path: string): AsyncGenerator<Uint8Array> {
    const unreachable = new CallError(`No answer from ${this.#url}. Is the server up? Another address: --url, or API in the environment.`, {
      mayPass: true,
    });
    const headers = { authorization: this.#authorization };
    const answer = await fetch(`${this.#url}${path}`, { headers, redirect: 'error' }).catch(() => Promise.reject(unreachable));
    if (!answer.ok) throw this.#refusal(answer, parsed(await answer.text()) as { message?: string; id?: string } | null);
    try {
      yield* answer.body ?? [];
    } catch {
      throw new CallError(`The answer of ${this.#url} was cut before its end. Ask again.`, { mayPass: true });
    }
  }

  #refusal(answer: Response, said: { readonly message?: string; readonly id?: string } | null): CallError {
    if (answer.status === 401)
      return new CallError(`${this.#url} does not take the credential in ${this.#variable}: it is unknown or ended.`);
    if (answer.status === 404)
      return new CallError(
        'There is no such Application, App, environment, variable, webhook, delivery, message, account or cursor for this credential.',
      );
    const seconds = Number(answer.headers.get('retry-after') ?? 0);
    return new CallError(
      `${this.#url} answered ${answer.status}: ${said?.message ?? 'no reason given'} (request ${said?.id ?? 'unknown'}).`,
      {
        mayPass: answer.status === 429 || answer.status >= 500,
        retryAfterMs: seconds > 0 ? Math.min(seconds, 3_600) * 1_000 : 0,
      },
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
