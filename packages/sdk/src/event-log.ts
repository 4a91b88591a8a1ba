import { PlatformError } from '@bulkhead/base';
import { type EventPage, eventPage, latestEventCursor } from '@bulkhead/protocol';
import { eventRefusals } from './event-refusals.ts';

export interface EventLogOptions {
  /** Where Bulkhead is, e.g. `https://connect.example.com`. */
  readonly baseUrl: string;
  /** An API key reads the log of its Application, or of one of its accounts; a Bearer token that of its own account. */
  readonly credential: { readonly apiKey: string } | { readonly token: string };
  /** The log of this account; absent: of the whole Application. With a token: its own. */
  readonly accountId?: number;
  /** `globalThis.fetch`, or yours. */
  readonly fetch: (url: string, init: { headers: Record<string, string>; redirect: 'error'; signal: AbortSignal }) => Promise<Response>;
  /** Resolves after so many milliseconds, or when the signal is aborted; default: a timer. */
  readonly wait?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export interface EventQuery {
  /** Of the page before; absent: from the oldest event that is kept. */
  readonly cursor?: string;
  /** Events not earlier than this, and earlier than that. */
  readonly from?: Date;
  readonly until?: Date;
  /** 1 to 1,000; default 100. */
  readonly pageSize?: number;
}

export interface FollowOptions {
  /** Where to begin; absent: with what happens from now on. */
  readonly cursor?: string;
  readonly pageSize?: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** The events of an Application or an account. What it throws is a `PlatformError` whose `code` is an `EventRefusal`. */
export interface EventLog {
  /** One page, the oldest event first. */
  list(query?: EventQuery): Promise<EventPage>;
  /** The cursor after the newest event. */
  latest(): Promise<string>;
  /**
   * Pages as events happen, none of them empty, each event once. Keep a page's `cursor` when you are done with it: whoever begins there
   * misses nothing. Where Bulkhead is away for a while it waits; what will not pass by itself is thrown.
   */
  follow(options?: FollowOptions): AsyncGenerator<EventPage, void, void>;
}

/** A schema of the protocol. */
interface Message<T> {
  safeParse(value: unknown): { readonly success: true; readonly data: T } | { readonly success: false };
}

const TIMEOUT_MS = 30_000;
const EVERY_MS = 1_000;
const WAIT_MAX_MS = 60_000;

export function eventLog({ baseUrl, credential, accountId, fetch, wait = timer }: EventLogOptions): EventLog {
  const of = accountId === undefined ? ('token' in credential ? '/accounts/me' : '') : `/accounts/${accountId}`;
  const url = `${baseUrl.replace(/\/+$/, '')}/v1${of}/events`;
  const secret = 'token' in credential ? credential.token : credential.apiKey;

  async function ask<T>(message: Message<T>, address: string, signal?: AbortSignal): Promise<T> {
    // Anything else could be no credential, and must not get into a header.
    if (!/^[\x21-\x7e]{1,4096}$/.test(secret)) throw eventRefusals('events.refused', { detail: 'not the form of a credential' });
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    let answer: Response;
    let body: unknown;
    try {
      answer = await fetch(address, {
        headers: { authorization: `${'token' in credential ? 'Bearer' : 'APIKey'} ${secret}` },
        redirect: 'error',
        signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      });
      body = await answer.json();
    } catch (cause) {
      throw eventRefusals('events.unavailable', { params: { problem: 'no answer that could be read' }, cause });
    }
    if (answer.status === 401 || answer.status === 403) throw eventRefusals('events.refused');
    if (answer.status === 404) throw eventRefusals('events.not_found');
    const said = message.safeParse(body);
    if (answer.status === 200 && said.success) return said.data;
    const seconds = Number(answer.headers.get('retry-after') ?? 0);
    throw eventRefusals('events.unavailable', {
      params: { problem: `an answer of status ${answer.status}${answer.status === 200 ? ' that does not fit' : ''}` },
      ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfterSeconds: seconds } : {}),
    });
  }

  const page = ({ cursor, from, until, pageSize }: EventQuery, signal?: AbortSignal): Promise<EventPage> => {
    const given = { cursor, from: from?.toISOString(), until: until?.toISOString(), page_size: pageSize?.toString() };
    const query = new URLSearchParams(Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined)).toString();
    return ask(eventPage, query === '' ? url : `${url}?${query}`, signal);
  };
  const newest = async (signal?: AbortSignal): Promise<string> => (await ask(latestEventCursor, `${url}/latest`, signal)).cursor;

  /** What `read` gives, asked again while Bulkhead is away; null: it was ended. */
  async function persist<T>(read: () => Promise<T>, signal?: AbortSignal): Promise<T | null> {
    const isOver = (): boolean => signal?.aborted ?? false;
    for (let pause = EVERY_MS; !isOver(); pause = Math.min(2 * pause, WAIT_MAX_MS)) {
      try {
        return await read();
      } catch (thrown) {
        if (isOver()) return null;
        if (!(thrown instanceof PlatformError) || thrown.code !== 'events.unavailable') throw thrown;
        await wait(Math.min(Math.max(pause, (thrown.retryAfterSeconds ?? 0) * 1_000), WAIT_MAX_MS), signal);
      }
    }
    return null;
  }

  return {
    list: (query = {}) => page(query),
    latest: () => newest(),
    async *follow({ cursor: begin, pageSize, signal } = {}) {
      let cursor = begin ?? (await persist(() => newest(signal), signal));
      while (cursor !== null) {
        const from: string = cursor;
        const read = await persist(() => page({ cursor: from, ...(pageSize === undefined ? {} : { pageSize }) }, signal), signal);
        if (read === null) return;
        if (read.objects.length > 0) yield read;
        else await wait(EVERY_MS, signal);
        ({ cursor } = read);
      }
    },
  };
}

function timer(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timeout);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timeout = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
    if (signal?.aborted === true) end();
  });
}
