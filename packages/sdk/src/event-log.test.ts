import { describe, expect, test } from 'vitest';
import { type EventLogOptions, eventLog, type EventPage, PlatformError } from './index.ts';

const event = (id: string) => ({
  id,
  type: 'account.connected',
  account: 1001,
  created: '2026-01-01T00:00:00.000Z',
  modified: '2026-01-01T00:00:00.000Z',
  data: { service: 'gdrive', end_user: null },
  api: 'events' as const,
});
const page = (cursor: string, ...ids: string[]): EventPage => ({
  count: ids.length,
  cursor,
  remaining: 0,
  objects: ids.map(event),
  type: 'object_list',
  api: 'events',
});

type Said = { body?: unknown; status?: number; headers?: Record<string, string> } | Error;

/** A Bulkhead that gives these answers in turn, and notes what it was asked and how long was waited. */
function bulkhead(...answers: Said[]) {
  const asked: { url: string; authorization: string | undefined }[] = [];
  const waits: number[] = [];
  const fetch: EventLogOptions['fetch'] = async (url, init) => {
    expect(init.redirect).toBe('error');
    asked.push({ url: url.replace('https://connect.example', ''), authorization: init.headers['authorization'] });
    const said = answers.shift() ?? new Error('nothing more');
    if (said instanceof Error) throw said;
    const { body = {}, status = 200, headers = {} } = said;
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers });
  };
  const wait = async (ms: number) => void waits.push(ms);
  const log = (options: Partial<EventLogOptions> = {}) =>
    eventLog({ baseUrl: 'https://connect.example/', credential: { apiKey: 'bhk_x' }, fetch, wait, ...options });
  return { log, asked, waits };
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const thrown: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  return thrown instanceof PlatformError ? thrown.code : `accepted or odd: ${String(thrown)}`;
}

describe('the event log in the SDK', () => {
  test.each([
    ['the whole Application, by API key', {}, '/v1/events', 'APIKey bhk_x'],
    ['one account, by API key', { accountId: 1001 }, '/v1/accounts/1001/events', 'APIKey bhk_x'],
    ['the account of a token', { credential: { token: 'bha_x' } }, '/v1/accounts/me/events', 'Bearer bha_x'],
  ])('reads that of %s', async (_, options, path, authorization) => {
    const { log, asked } = bulkhead({ body: page('c1', 'evt1') }, { body: { cursor: 'c9' } });
    expect(await log(options).list()).toEqual(page('c1', 'evt1'));
    expect(await log(options).latest()).toBe('c9');
    expect(asked).toEqual([
      { url: path, authorization },
      { url: `${path}/latest`, authorization },
    ]);
  });

  test('asks for a page as it was told', async () => {
    const { log, asked } = bulkhead({ body: page('c2') });
    await log().list({ cursor: 'c1&x', from: new Date(0), until: new Date(1_000), pageSize: 5 });
    expect(Object.fromEntries(new URL(asked[0]!.url, 'https://x.example').searchParams)).toEqual({
      cursor: 'c1&x',
      from: '1970-01-01T00:00:00.000Z',
      until: '1970-01-01T00:00:01.000Z',
      page_size: '5',
    });
  });

  test.each<[string, Said, string]>([
    ['401', { status: 401 }, 'events.refused'],
    ['403', { status: 403 }, 'events.refused'],
    ['404', { status: 404 }, 'events.not_found'],
    ['429', { status: 429 }, 'events.unavailable'],
    ['500', { status: 500, body: page('c1', 'evt1') }, 'events.unavailable'],
    ['a page of something else', { body: '<html>sign in</html>' }, 'events.unavailable'],
    ['an event without an id', { body: { ...page('c1'), objects: [{ ...event('x'), id: 7 }] } }, 'events.unavailable'],
    ['no answer', new TypeError('fetch failed'), 'events.unavailable'],
  ])('%s is %s', async (_, said, code) => {
    expect(await refusal(bulkhead(said).log().list())).toBe(code);
  });

  test('sends nothing that could break out of the header', async () => {
    const { log, asked } = bulkhead({ body: page('c1') });
    expect(await refusal(log({ credential: { apiKey: 'bhk_x\r\nhost: evil' } }).list())).toBe('events.refused');
    expect(asked).toEqual([]);
  });
});

describe('who follows the log', () => {
  test('begins with what happens from now on, gets pages with something in them, each from the cursor of the one before', async () => {
    const { log, asked, waits } = bulkhead(
      { body: { cursor: 'c0' } },
      { body: page('c0') },
      { body: page('c1', 'evt1', 'evt2') },
      { body: page('c2', 'evt3') },
      { status: 404 },
    );
    const seen: string[] = [];
    const following = (async () => {
      for await (const { objects, cursor } of log().follow({ pageSize: 2 })) seen.push(`${cursor}: ${objects.map(({ id }) => id).join()}`);
    })();
    expect(await refusal(following)).toBe('events.not_found');
    expect(seen).toEqual(['c1: evt1,evt2', 'c2: evt3']);
    expect(asked.map(({ url }) => url)).toEqual([
      '/v1/events/latest',
      '/v1/events?cursor=c0&page_size=2',
      '/v1/events?cursor=c0&page_size=2',
      '/v1/events?cursor=c1&page_size=2',
      '/v1/events?cursor=c2&page_size=2',
    ]);
    expect(waits).toEqual([1_000]);
  });

  test('waits while Bulkhead is away, longer each time or as long as it is told, and goes on where it was', async () => {
    const down = { status: 503 };
    const { log, asked, waits } = bulkhead(new TypeError('fetch failed'), down, { status: 429, headers: { 'retry-after': '17' } }, down, {
      body: page('c2', 'evt2'),
    });
    const { value } = await log().follow({ cursor: 'c1' }).next();
    expect(value).toEqual(page('c2', 'evt2'));
    expect(waits).toEqual([1_000, 2_000, 17_000, 8_000]);
    expect(new Set(asked.map(({ url }) => url))).toEqual(new Set(['/v1/events?cursor=c1']));
  });

  test('is done when the signal says so', async () => {
    const { log } = bulkhead({ body: page('c2', 'evt2') }, { body: page('c2') });
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const { cursor } of log().follow({ cursor: 'c1', signal: stop.signal })) {
      seen.push(cursor);
      stop.abort();
    }
    expect(seen).toEqual(['c2']);
  });
});
