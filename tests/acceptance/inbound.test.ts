import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HttpClient } from './http-client.ts';
import { openTarget, type Target } from './target.ts';

let target: Target;
let http: HttpClient;
let meta: HttpClient;
beforeAll(async () => {
  target = await openTarget();
  http = new HttpClient(target.url);
  meta = http.as(`Bearer ${target.metaToken}`);
});
afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

interface Expecting {
  readonly id: string;
  readonly api: HttpClient;
  readonly path: string;
  readonly secret: string;
}

/** An Application that expects messages of GitHub. */
async function expecting(): Promise<Expecting> {
  const made = await meta.post('/v1/meta/applications', { name: 'Inbound', events_enabled: true });
  expect(made.status, made.text).toBe(201);
  const { id, default_api_key: key } = made.json;
  const secret = randomBytes(24).toString('hex');
  const hook = await meta.post(`/v1/meta/applications/${id}/inbound_webhooks`, { service: 'github', secret });
  expect(hook.status, hook.text).toBe(201);
  expect(hook.text).not.toContain(secret);
  return { id, api: http.as(`APIKey ${key.key}`), path: new URL(hook.json.url).pathname, secret };
}

function report(path: string, secret: string, body: string) {
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  };
  return http.call('POST', path, { headers, body });
}

describe('a service reports to an Application', () => {
  test('what its signature proves is kept once, told as an event, and read with the API key', async () => {
    const { api, path, secret } = await expecting();
    const body = JSON.stringify({ ref: 'refs/heads/main' });
    for (const _ of [1, 2]) expect((await report(path, secret, body)).status).toBe(200);
    const listed = await api.get('/v1/inbound_messages?service=github');
    expect(listed.json.objects).toHaveLength(1);
    const [{ id: messageId }] = listed.json.objects;
    expect((await api.get(`/v1/inbound_messages/${messageId}`)).json).toMatchObject({ event: 'push', payload: { ref: 'refs/heads/main' } });
    await expect
      .poll(async () => JSON.stringify((await api.get('/v1/events')).json), { timeout: 10_000 })
      .toMatch(new RegExp(`inbound\\.received.*${messageId}`));
  });

  test('anything else is refused alike, leaves nothing, and another Application hears nothing', async () => {
    const [mine, theirs] = [await expecting(), await expecting()];
    const body = JSON.stringify({ ref: 'refs/heads/other' });
    const nowhere = mine.path.replace(mine.id, `app${'0'.repeat(mine.id.length - 3)}`);
    const refused = [
      await report(mine.path, theirs.secret, body),
      await report(mine.path, 'a secret of nobody', body),
      await report(mine.path.replace('github', 'gitlab'), mine.secret, body),
      await report(nowhere, mine.secret, body),
      await http.call('POST', mine.path, { headers: { 'content-type': 'application/json' }, body }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    expect(new Set(refused.map(({ json }) => `${json.code} ${json.message}`)).size).toBe(1);
    // Control: with its own secret the message goes through, and to this Application alone.
    expect((await report(mine.path, mine.secret, body)).status).toBe(200);
    expect((await mine.api.get('/v1/inbound_messages')).json.objects).toHaveLength(1);
    expect((await theirs.api.get('/v1/inbound_messages')).json.objects).toEqual([]);
  });
});
