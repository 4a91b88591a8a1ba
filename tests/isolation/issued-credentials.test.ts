import { createTwins, startFakeUpstream, type Twins, World } from '@bulkhead/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { headersOf, valid } from './credentials.ts';
import { requestOf } from './requests.ts';
import { rowsOf } from './rows.ts';

let world: World;
let twins: Twins;
beforeAll(async () => {
  const upstream = await startFakeUpstream();
  world = await World.create({ egressAllow: [upstream.address] });
  twins = await createTwins(world, upstream);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await twins[Symbol.asyncDispose]();
});

/** Every answer to a request that only reads, asked for by the tenant itself with each kind of credential the route takes. */
async function everythingRead(): Promise<{ route: string; asked: string; text: string }[]> {
  const { victim } = twins;
  const answers: { route: string; asked: string; text: string }[] = [];
  for (const route of world.platform.routes.filter(({ method }) => method === 'GET')) {
    for (const row of (rowsOf(route.id) ?? []).filter(({ late }) => late === undefined)) {
      const shown = route.credentials.flatMap((kind) => valid(kind, victim));
      for (const each of shown.length > 0 ? shown : [{ headers: { cookie: victim.cookie } }]) {
        const request = requestOf(route, row, victim.names);
        const answer = await world.call(request.method, request.path, { headers: headersOf(request, each) });
        const location = answer.headers.get('location') ?? '';
        answers.push({ route: route.id, asked: request.path, text: `${answer.text} ${location}` });
      }
    }
  }
  return answers;
}

describe('V2: what is issued', () => {
  test('begins with what it is, names its tenant, holds 256 random bits and ends in a checksum: a scanner needs no list of ours', () => {
    const { victim } = twins;
    const tenant = victim.applicationId.slice(3);
    const ofTenant = { api_key_text: 'bhk', access_token: 'bha', refresh_token: 'bhr' } as const;
    for (const [name, prefix] of Object.entries(ofTenant) as [keyof typeof ofTenant, string][])
      expect(victim.names[name]).toMatch(new RegExp(`^${prefix}_${tenant}_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$`));
    const webhook = victim.secrets.filter((secret) => secret.startsWith('bhs_'));
    expect(webhook.length).toBeGreaterThan(0);
    for (const secret of webhook) expect(secret).toMatch(new RegExp(`^bhs_${tenant}_[0-9A-Za-z]{49}$`));
    for (const token of [victim.readingMetaToken, victim.revokedMetaToken]) expect(token).toMatch(/^bhm_[0-9A-Za-z]{49}$/);
  });

  test('is shown once: nothing that can be read afterwards holds it', async () => {
    const answers = await everythingRead();
    expect(answers.length).toBeGreaterThan(40);
    const issued = twins.victim.secrets.filter((secret) => /^bh[a-z]_/.test(secret));
    expect(issued.length).toBeGreaterThan(5);
    // What a request brings in its own path (a transaction, say) may stand in its answer.
    const telling = answers.filter(({ asked, text }) => issued.some((secret) => text.includes(secret) && !asked.includes(secret)));
    expect(telling.map(({ route }) => route)).toEqual([]);
  });

  test('control: what is no secret is in what is read, the name of the tenant in most of it', async () => {
    const answers = await everythingRead();
    expect(answers.filter(({ text }) => text.includes(twins.victim.canary)).length).toBeGreaterThan(10);
  });
});
