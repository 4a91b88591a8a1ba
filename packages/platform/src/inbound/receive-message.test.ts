import { createHmac } from 'node:crypto';
import { type HttpAnswer, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rowCounts } from './inbound.testkit.ts';

const GITHUB_SECRET = "It's a Secret to Everybody";
const SLACK_SECRET = '8f742231b10e8888abcd99yyyzzz85a5';

let world: World;
let own: { id: string; apiKey: string };
let other: { id: string; apiKey: string };

beforeAll(async () => {
  world = await World.create();
  own = await world.application({ events_enabled: true });
  other = await world.application({ events_enabled: true });
  await expects(own.id, { service: 'github', secret: GITHUB_SECRET });
  await expects(own.id, { service: 'slack', secret: SLACK_SECRET });
  await expects(other.id, { service: 'github', secret: 'the secret of another Application' });
});
afterAll(() => world[Symbol.asyncDispose]());

async function expects(applicationId: string, body: object): Promise<HttpAnswer> {
  const answer = await world.meta('POST', `/applications/${applicationId}/inbound_webhooks`, body);
  expect(answer.status, answer.text).toBe(201);
  return answer;
}

const hex = (secret: string, ...parts: string[]): string => createHmac('sha256', secret).update(parts.join('')).digest('hex');

interface Message {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const nowSeconds = (): number => Math.floor(world.clock.now() / 1000);

function fromGitHub(payload: object, { secret = GITHUB_SECRET, delivery = 'd-1' } = {}): Message {
  const body = JSON.stringify(payload);
  return {
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': delivery,
      'x-hub-signature-256': `sha256=${hex(secret, body)}`,
    },
    body,
  };
}

function fromSlack(payload: object, { secret = SLACK_SECRET, at = nowSeconds() } = {}): Message {
  const body = JSON.stringify(payload);
  return {
    headers: {
      'content-type': 'application/json',
      'x-slack-request-timestamp': String(at),
      'x-slack-signature': `v0=${hex(secret, `v0:${at}:`, body)}`,
    },
    body,
  };
}

function send(applicationId: string, service: string, { headers, body }: Message): Promise<HttpAnswer> {
  return world.call('POST', `/v1/inbound/${applicationId}/${service}`, { headers, body });
}

async function read(apiKey: string, path: string): Promise<HttpAnswer> {
  return world.call('GET', path, { headers: { authorization: `APIKey ${apiKey}` } });
}

/** What the log of an Application says of messages, oldest first. */
async function received(apiKey: string): Promise<{ account: number | null; data: Record<string, unknown> }[]> {
  let found: { type: string; account: number | null; data: Record<string, unknown> }[] = [];
  // The log is read up to the oldest transaction of the server, another test's perhaps.
  await expect
    .poll(
      async () => {
        found = (await read(apiKey, '/v1/events?page_size=1000')).json.objects;
        const listed = (await read(apiKey, '/v1/inbound_messages?page_size=1000')).json.total;
        return new Set(found.map(({ data }) => data['message_id']).filter((id) => id !== undefined)).size === listed;
      },
      { timeout: 20_000 },
    )
    .toBe(true);
  return found.filter(({ type }) => type === 'inbound.received');
}

const counts = (): Promise<Record<string, number>> => rowCounts(world.platform.db);

describe('a message of a service', () => {
  test('that is signed is in the event log, and can be read whole', async () => {
    const answer = await send(own.id, 'github', fromGitHub({ ref: 'refs/heads/main', sender: { id: 1 } }, { delivery: 'd-whole' }));
    expect(answer).toMatchObject({ status: 200, text: '' });
    const event = (await received(own.apiKey)).at(-1);
    expect(event).toMatchObject({ account: null, data: { service: 'github', type: 'push', delivery_id: 'd-whole' } });
    const message = await read(own.apiKey, `/v1/inbound_messages/${String(event!.data['message_id'])}`);
    expect(message.json).toMatchObject({
      service: 'github',
      event: 'push',
      accounts: [],
      payload: { ref: 'refs/heads/main', sender: { id: 1 } },
    });
  });

  test('is no message of another Application', async () => {
    const before = await received(other.apiKey);
    await send(own.id, 'github', fromGitHub({ ref: 'not for others' }));
    expect(await received(other.apiKey)).toEqual(before);
    const { message_id: id } = (await received(own.apiKey)).at(-1)!.data;
    expect((await read(other.apiKey, `/v1/inbound_messages/${String(id)}`)).status).toBe(404);
    expect((await read(own.apiKey, `/v1/inbound_messages/${String(id)}`)).status).toBe(200);
  });

  test('counts once, however often and under whatever id it is delivered, also by ten at once', async () => {
    const before = (await received(own.apiKey)).length;
    const payload = { ref: 'delivered again and again' };
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) => send(own.id, 'github', fromGitHub(payload, { delivery: `d-${at}` }))),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect((await received(own.apiKey)).length).toBe(before + 1);
    // Control: another one is another one.
    await send(own.id, 'github', fromGitHub({ ...payload, once: 'more' }));
    expect((await received(own.apiKey)).length).toBe(before + 2);
  });

  test('of Slack counts once by the id of its event, although each attempt is signed anew', async () => {
    const before = (await received(own.apiKey)).length;
    const payload = { type: 'event_callback', event_id: 'Ev1', event: { type: 'message' } };
    expect((await send(own.id, 'slack', fromSlack(payload))).status).toBe(200);
    expect((await send(own.id, 'slack', fromSlack(payload, { at: nowSeconds() + 60 }))).status).toBe(200);
    expect((await received(own.apiKey)).length).toBe(before + 1);
  });
});

describe('a message that cannot be verified', () => {
  const refusals: readonly (readonly [string, () => { to: string; service: string; message: Message }])[] = [
    ['has another body', () => ({ ...to('github'), message: { ...fromGitHub({ ref: 'x1' }), body: '{"ref":"y"}' } })],
    ['has another secret', () => ({ ...to('github'), message: fromGitHub({ ref: 'x2' }, { secret: 'not the secret of it' }) })],
    [
      "has another Application's secret",
      () => ({ ...to('github'), message: fromGitHub({ ref: 'x3' }, { secret: 'the secret of another Application' }) }),
    ],
    ['goes to another Application than it is signed for', () => ({ to: other.id, service: 'github', message: fromGitHub({ ref: 'x4' }) })],
    ['has no signature', () => ({ ...to('github'), message: without(fromGitHub({ ref: 'x5' }), 'x-hub-signature-256') })],
    ["has another service's signature", () => ({ ...to('slack'), message: fromGitHub({ ref: 'x6' }) })],
    ['is too old', () => ({ ...to('slack'), message: fromSlack({ type: 'x7' }, { at: nowSeconds() - 301 }) })],
    ['is of the future', () => ({ ...to('slack'), message: fromSlack({ type: 'x8' }, { at: nowSeconds() + 302 }) })],
    [
      'has another time than was signed',
      () => ({ ...to('slack'), message: withHeader(fromSlack({ type: 'x9' }), 'x-slack-request-timestamp', String(nowSeconds() - 1)) }),
    ],
    ['has no time', () => ({ ...to('slack'), message: without(fromSlack({ type: 'x10' }), 'x-slack-request-timestamp') })],
    ['is of a service for which no secret is set', () => ({ ...to('gitlab'), message: fromGitHub({ ref: 'x11' }) })],
    ['is of a service that there is not', () => ({ ...to('nosuchservice'), message: fromGitHub({ ref: 'x12' }) })],
    [
      'goes to an Application that there is not',
      () => ({ to: `app${'A'.repeat(22)}`, service: 'github', message: fromGitHub({ ref: 'x13' }) }),
    ],
    ['goes to no Application', () => ({ to: 'nobody', service: 'github', message: fromGitHub({ ref: 'x14' }) })],
    ['is a hand-shake of somebody', () => ({ ...to('slack'), message: fromSlack(handshake, { secret: 'not the secret of it' }) })],
  ];
  const handshake = { type: 'url_verification', challenge: 'tell-me-so' };
  const to = (service: string) => ({ to: own.id, service });
  const without = ({ headers, body }: Message, name: string): Message => ({
    headers: Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name)),
    body,
  });
  const withHeader = ({ headers, body }: Message, name: string, value: string): Message => ({
    headers: { ...headers, [name]: value },
    body,
  });

  test.each(refusals)('because it %s gets the one 401 of all, and nothing is stored', async (_why, made) => {
    const before = await counts();
    const { to: applicationId, service, message } = made();
    const answer = await send(applicationId, service, message);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Signature realm="bulkhead"');
    const { id: _, ...said } = answer.json;
    expect(said).toEqual({
      status_code: 401,
      error_code: 'unauthorized',
      code: 'inbound.unverified',
      message: 'This message could not be verified. Its signature, its time or the secret that is set for it here does not fit.',
    });
    expect(await counts()).toEqual(before);
  });

  test.each([
    ['github', () => fromGitHub({ ref: 'control' })],
    ['slack', () => fromSlack({ type: 'control' })],
    ['slack, 300 seconds old', () => fromSlack({ type: 'old control' }, { at: nowSeconds() - 299 })],
    ['slack, 300 seconds of the future', () => fromSlack({ type: 'future control' }, { at: nowSeconds() + 299 })],
  ])('control: as it was signed it is taken (%s)', async (service, made) => {
    const before = await counts();
    expect((await send(own.id, service.split(',')[0]!, made())).status).toBe(200);
    expect((await counts())['inbound_messages']).toBe(before['inbound_messages']! + 1);
  });

  test('because its Application is off gets the same answer, and is taken when it is on again', async () => {
    const { id } = await world.application();
    await expects(id, { service: 'github', secret: GITHUB_SECRET });
    await world.meta('PATCH', `/applications/${id}`, { active: false });
    expect((await send(id, 'github', fromGitHub({ ref: 'off' }))).status).toBe(401);
    await world.meta('PATCH', `/applications/${id}`, { active: true });
    expect((await send(id, 'github', fromGitHub({ ref: 'off' }))).status).toBe(200);
  });

  test('because it is larger than a mebibyte is refused before anything else', async () => {
    const before = await counts();
    expect((await send(own.id, 'github', fromGitHub({ ref: 'x'.repeat(1024 * 1024) }))).status).toBe(413);
    expect(await counts()).toEqual(before);
  });
});

describe('a hand-shake', () => {
  test('of Slack is answered where it is signed, and leaves nothing', async () => {
    const before = await counts();
    const answer = await send(own.id, 'slack', fromSlack({ type: 'url_verification', challenge: 'tell-me-so', token: 'legacy' }));
    expect(answer).toMatchObject({ status: 200, text: 'tell-me-so' });
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await counts()).toEqual(before);
  });

  test('by GET is answered alike for every address, as plain text that no browser takes for a page', async () => {
    for (const path of [`${own.id}/dropbox`, `${own.id}/github`, 'nobody/nothing']) {
      const answer = await world.call('GET', `/v1/inbound/${path}?challenge=abc-123`);
      expect(answer).toMatchObject({ status: 200, text: 'abc-123' });
      expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  test.each(['<script>alert(1)</script>', '', 'x'.repeat(257), 'a\r\nb'])('by GET with %j is not answered', async (challenge) => {
    const answer = await world.call('GET', `/v1/inbound/${own.id}/dropbox?${new URLSearchParams({ challenge })}`);
    expect(answer.status).toBe(400);
    if (challenge !== '') expect(answer.text).not.toContain(challenge);
  });
});
