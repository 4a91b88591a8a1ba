import { applicationId as applicationIds } from '@bulkhead/base';
import { sql } from '@bulkhead/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, type ConnectApplication, ConnectWorld, REDIRECT_URI } from '../../test/connect-world.ts';
import { leftBy } from '../../test/stored-rows.ts';
import { type PageAnswer, Visitor } from '../../test/visitor.ts';
import { REFUSAL_LINES_MAX } from './refusal-lines.ts';
import { transactionCredential } from './transaction-store.ts';

let connect: ConnectWorld;
let application: ConnectApplication;
let several: ConnectApplication;
beforeAll(async () => {
  connect = await ConnectWorld.create();
  application = await connect.application();
  several = await connect.application({}, [connect.upstream.service('harbour'), connect.upstream.keyService('lantern')]);
});
afterAll(async () => {
  await connect[Symbol.asyncDispose]();
});
beforeEach(() => {
  connect.upstream.person = { id: 'ada', name: 'ada@example.com' };
  connect.upstream.tokenRequests = 0;
});

/** Who the log says was refused; `page`: nothing is sent anywhere. */
interface Expected {
  readonly reason: string;
  readonly actor: 'end_user' | 'anonymous';
  readonly at: 'page' | 'client' | 'form';
  readonly of?: string;
  /** Tables that may differ beside the log. */
  readonly tables?: readonly string[];
}

/** What is refused, when all is prepared; with what must not be found anywhere afterwards. */
interface Act {
  readonly refused: () => Promise<PageAnswer>;
  readonly secrets?: readonly string[];
  readonly of?: string;
}

const FLOW = ['authorization_transactions'];

const begin = async (visitor: Visitor, of = application, parameters: Record<string, string | null> = {}) =>
  visitor.get(connect.startUrl(of, parameters));
const approved = async (visitor: Visitor, of = application) => connect.upstream.approve((await begin(visitor, of)).location);
const secretsOf = (visitor: Visitor, address: string) => [
  ...visitor.cookies.values(),
  ...['state', 'code'].map((name) => answerOf(address).get(name) ?? '').filter((text) => text !== ''),
];
const pushed = async (fields: Record<string, string> = {}, of = application): Promise<string> => {
  const answer = await connect.push(of, fields);
  expect(answer.status, answer.text).toBe(201);
  return answer.json.request_uri;
};
const useUrl = (of: { id: string }, requestUri: string) =>
  `${connect.url}/v1/oauth?${new URLSearchParams({ client_id: of.id, request_uri: requestUri }).toString()}`;
/** Refused at its first request already. */
const start =
  (parameters: Record<string, string | null>, of = () => application) =>
  async (): Promise<Act> => ({ refused: () => new Visitor().get(connect.startUrl(of(), parameters)), of: of().id });

describe('C1–C4 every refusal leaves an entry in the audit log and nothing else', () => {
  const cases: readonly [string, Expected, () => Promise<Act>][] = [
    // A flow of somebody else.
    [
      'our link, sent on: it was opened before',
      { reason: 'authorization.request_uri_unknown', actor: 'anonymous', at: 'page' },
      async () => {
        const requestUri = await pushed({ end_user: 'ada' });
        await new Visitor().get(useUrl(application, requestUri));
        return { refused: () => new Visitor().get(useUrl(application, requestUri)), secrets: [requestUri.slice(-60)] };
      },
    ],
    [
      'our link under the name of another Application',
      { reason: 'authorization.request_uri_unknown', actor: 'anonymous', at: 'page' },
      async () => {
        const requestUri = await pushed();
        return { refused: () => new Visitor().get(useUrl(several, requestUri)), secrets: [requestUri.slice(-60)], of: several.id };
      },
    ],
    [
      "the service's link, sent on: it ends in another browser",
      { reason: 'authorization.other_browser', actor: 'anonymous', at: 'page', tables: FLOW },
      async () => {
        const ada = new Visitor();
        const back = await approved(ada);
        return { refused: () => new Visitor().get(back), secrets: secretsOf(ada, back) };
      },
    ],
    [
      'login CSRF: the answer of an attacker’s flow in a browser with a flow of its own',
      { reason: 'authorization.other_browser', actor: 'anonymous', at: 'page', tables: FLOW },
      async () => {
        const [eve, ada] = [new Visitor(), new Visitor()];
        const back = await approved(eve);
        await begin(ada);
        return { refused: () => ada.get(back), secrets: [...secretsOf(eve, back), ...ada.cookies.values()] };
      },
    ],
    [
      'the marker of a flow that is over, on another flow',
      { reason: 'authorization.other_browser', actor: 'anonymous', at: 'page', tables: FLOW },
      async () => {
        const [ada, eve] = [new Visitor(), new Visitor()];
        const back = await approved(ada);
        const [name, value] = [...ada.cookies][0]!;
        await ada.get(back);
        const hers = await approved(eve);
        const [nameOfEve] = [...eve.cookies.keys()];
        ada.cookies.set(name, value);
        ada.cookies.set(nameOfEve!, value);
        return { refused: () => ada.get(hers), secrets: secretsOf(eve, hers) };
      },
    ],
    [
      'the page of a flow in another browser',
      { reason: 'authorization.other_browser', actor: 'anonymous', at: 'page' },
      async () => {
        const { location } = await begin(new Visitor(), several);
        return { refused: () => new Visitor().get(location), of: several.id, secrets: [location.split('/').at(-1)!] };
      },
    ],
    [
      'a choice in another browser',
      { reason: 'authorization.other_browser', actor: 'anonymous', at: 'page' },
      async () => {
        const { location } = await begin(new Visitor(), several);
        return { refused: () => new Visitor().post(location, { service: 'harbour' }), of: several.id };
      },
    ],
    [
      'a key typed in another browser',
      { reason: 'authorization.other_browser', actor: 'anonymous', at: 'page' },
      async () => {
        const { location } = await begin(new Visitor(), several);
        const refused = () => new Visitor().post(`${location}/credential`, { service: 'lantern', api_key: connect.upstream.apiKey });
        return { refused, of: several.id, secrets: [connect.upstream.apiKey] };
      },
    ],
    [
      'a form sent from another site',
      { reason: 'authorization.cross_site', actor: 'anonymous', at: 'page' },
      async () => {
        const visitor = new Visitor();
        const { location } = await begin(visitor, several);
        return { refused: () => visitor.post(location, { cancel: '1' }, { 'sec-fetch-site': 'cross-site' }), of: several.id };
      },
    ],
    // The wrong moment, the wrong place.
    [
      'an answer that comes a second time',
      { reason: 'authorization.flow_unknown', actor: 'anonymous', at: 'page' },
      async () => {
        const visitor = new Visitor();
        const back = await approved(visitor);
        const jar = [...visitor.cookies];
        await visitor.get(back);
        for (const [name, value] of jar) visitor.cookies.set(name, value);
        return { refused: () => visitor.get(back), secrets: secretsOf(visitor, back) };
      },
    ],
    [
      'a state that nobody issued',
      { reason: 'authorization.flow_unknown', actor: 'anonymous', at: 'page' },
      async () => {
        const state = transactionCredential.issue(application.id as never).secret.reveal();
        const address = `${connect.url}/v1/oauth/callback/any?${new URLSearchParams({ state, code: 'c' }).toString()}`;
        return { refused: () => new Visitor().get(address), secrets: [state] };
      },
    ],
    [
      'an answer after ten minutes',
      { reason: 'authorization.flow_expired', actor: 'anonymous', at: 'page', tables: FLOW },
      async () => {
        const visitor = new Visitor();
        const back = await approved(visitor);
        connect.world.clock.advance(600_001);
        return { refused: () => visitor.get(back), secrets: secretsOf(visitor, back) };
      },
    ],
    [
      'an answer at another callback',
      { reason: 'authorization.service_changed', actor: 'end_user', at: 'client', tables: FLOW },
      async () => {
        const visitor = new Visitor();
        const back = await approved(visitor);
        return { refused: () => visitor.get(back.replace(/callback\/[^?]+/, 'callback/harbour')), secrets: secretsOf(visitor, back) };
      },
    ],
    [
      'an answer after the Application was switched off',
      { reason: 'authorization.unknown_client', actor: 'anonymous', at: 'page', tables: FLOW },
      async () => {
        const own = await connect.application();
        const visitor = new Visitor();
        const back = await approved(visitor, own);
        await connect.world.meta('PATCH', `/applications/${own.id}`, { active: false });
        return { refused: () => visitor.get(back), of: own.id, secrets: secretsOf(visitor, back) };
      },
    ],
    [
      'an answer after its redirect URI was taken away',
      { reason: 'authorization.redirect_uri_unregistered', actor: 'anonymous', at: 'page', tables: FLOW },
      async () => {
        const own = await connect.application();
        const visitor = new Visitor();
        const back = await approved(visitor, own);
        const { json } = await connect.world.meta('GET', `/applications/${own.id}/redirect_uris`);
        await connect.world.meta('DELETE', `/applications/${own.id}/redirect_uris/${json.objects[0].id}`);
        return { refused: () => visitor.get(back), of: own.id };
      },
    ],
    // The person, or the service, said no.
    [
      'a no at the service',
      { reason: 'upstream.access_denied', actor: 'end_user', at: 'client', tables: FLOW },
      async () => {
        const visitor = new Visitor();
        const back = connect.upstream.deny((await begin(visitor)).location);
        return { refused: () => visitor.get(back), secrets: secretsOf(visitor, back) };
      },
    ],
    [
      'a cancelled choice',
      { reason: 'authorization.cancelled', actor: 'end_user', at: 'client', tables: FLOW },
      async () => {
        const visitor = new Visitor();
        const { location } = await begin(visitor, several);
        return { refused: () => visitor.post(location, { cancel: '1' }), of: several.id };
      },
    ],
    [
      'a key that the service does not take: the form is shown again',
      { reason: 'upstream.identity_refused', actor: 'end_user', at: 'form', tables: FLOW },
      async () => {
        const visitor = new Visitor();
        const { location } = await begin(visitor, several);
        const refused = () => visitor.post(`${location}/credential`, { service: 'lantern', api_key: 'a-wrong-key-of-somebody' });
        return { refused, of: several.id, secrets: ['a-wrong-key-of-somebody'] };
      },
    ],
    // Never begun.
    [
      'a redirect URI nobody registered',
      { reason: 'authorization.redirect_uri_unregistered', actor: 'anonymous', at: 'page' },
      start({ redirect_uri: 'https://evil.example/' }),
    ],
    ['no redirect URI', { reason: 'authorization.redirect_uri_missing', actor: 'anonymous', at: 'page' }, start({ redirect_uri: null })],
    [
      'no PKCE',
      { reason: 'authorization.pkce_required', actor: 'anonymous', at: 'client' },
      start({ code_challenge: null, code_challenge_method: null }),
    ],
    ['PKCE plain', { reason: 'authorization.pkce_method', actor: 'anonymous', at: 'client' }, start({ code_challenge_method: 'plain' })],
    [
      'the implicit grant, switched off',
      { reason: 'authorization.implicit_disabled', actor: 'anonymous', at: 'client' },
      start({ response_type: 'token' }),
    ],
    ['a scope that fits no service', { reason: 'authorization.no_service', actor: 'anonymous', at: 'client' }, start({ scope: 'gdrive' })],
    ['a scope that is none', { reason: 'scope.invalid', actor: 'anonymous', at: 'client' }, start({ scope: '!!' })],
  ];

  it.each(cases)('%s', async (_, expected, prepare) => {
    const { refused, secrets = [], of = application.id } = await prepare();
    const asked = connect.upstream.tokenRequests;
    let answer: PageAnswer | undefined;
    const left = await leftBy(connect.world, async () => {
      answer = await refused();
    });
    const { status, location, text } = answer!;
    if (expected.at === 'client') expect([location.startsWith(REDIRECT_URI), answerOf(location).has('error')], text).toEqual([true, true]);
    else expect([status >= 400 || expected.at === 'form', location]).toEqual([true, '']);
    if (expected.at === 'page') expect(text).toContain(expected.reason);
    expect(left.audit.map(({ application_id: id, action, actor, detail }) => [id, action, actor.kind, detail['reason']])).toEqual([
      [of, 'account.connect_refused', expected.actor, expected.reason],
    ]);
    expect(left.tables).toEqual(expected.tables ?? []);
    expect(secrets.filter((secret) => left.dump.includes(secret))).toEqual([]);
    expect(connect.upstream.tokenRequests).toBe(asked);
  });

  it('control: a flow that is not refused leaves an account, and says so in the log', async () => {
    const visitor = new Visitor();
    const back = await approved(visitor);
    const left = await leftBy(connect.world, async () => {
      expect(answerOf((await visitor.get(back)).location).has('code')).toBe(true);
    });
    expect(left.audit.map(({ action }) => action)).toEqual(['account.authorize']);
    expect(left.tables).toContain('pending_connections');
  });

  it('control: the log names the end user a flow was pushed for, where the browser is the one it was begun in', async () => {
    const visitor = new Visitor();
    const begun = await visitor.get(useUrl(application, await pushed({ end_user: 'user-7' })));
    const left = await leftBy(connect.world, () => visitor.get(connect.upstream.deny(begun.location)));
    expect(left.audit.map(({ actor, detail }) => [actor, detail['service']])).toEqual([[{ kind: 'end_user', id: 'user-7' }, 'harbour']]);
    const other = await new Visitor().get(useUrl(application, await pushed({ end_user: 'user-7' })));
    const stolen = await leftBy(connect.world, () => new Visitor().get(connect.upstream.deny(other.location)));
    expect(stolen.audit.map(({ actor, detail }) => [actor, detail['end_user']])).toEqual([[{ kind: 'anonymous' }, 'user-7']]);
  });
});

describe('a request that names no Application leaves nothing at all', () => {
  it.each<[string, () => string]>([
    ['no client_id', () => connect.startUrl(application, { client_id: null })],
    ['a client_id of no form', () => connect.startUrl(application, { client_id: 'harbour' })],
    ['a client_id of nobody', () => connect.startUrl(application, { client_id: applicationIds.generate() })],
    ['a page of no flow', () => `${connect.url}/v1/oauth/authorize/bht_x`],
    ['a callback without state', () => `${connect.url}/v1/oauth/callback/harbour?code=c`],
    [
      'a state of an Application that is not there',
      () =>
        `${connect.url}/v1/oauth/callback/harbour?code=c&state=${transactionCredential.issue(applicationIds.generate()).secret.reveal()}`,
    ],
    [
      'a callback that names an Application beside a state of none',
      () => `${connect.url}/v1/oauth/callback/harbour?code=c&state=x&client_id=${application.id}`,
    ],
  ])('%s', async (_, address) => {
    const left = await leftBy(connect.world, async () => {
      const answer = await new Visitor().get(address());
      expect([answer.status, answer.location]).toEqual([400, '']);
    });
    expect([left.audit, left.tables]).toEqual([[], []]);
  });

  it('a HEAD and a page fetched ahead of time are no refusals, and leave nothing either', async () => {
    const left = await leftBy(connect.world, async () => {
      await new Visitor().head(connect.startUrl(application, { redirect_uri: 'https://evil.example' }));
      expect((await new Visitor().get(connect.startUrl(application), { 'sec-purpose': 'prefetch' })).status).toBe(503);
    });
    expect([left.audit, left.tables]).toEqual([[], []]);
  });
});

/** What of a connection is stored for an Application. */
async function countOf({ id }: ConnectApplication): Promise<Readonly<Record<string, number>>> {
  return connect.world.database.database.withSystem('count', async (tx) => {
    const counted: Record<string, number> = {};
    for (const table of ['accounts', 'credentials', 'pending_connections', 'authorization_codes', 'tasks']) {
      const rows = await tx.query(sql`select 1 from ${sql.identifier(table)} where application_id = ${id}`);
      counted[table] = rows.length;
    }
    return counted;
  });
}

describe('C1 a pushed flow that another user tries to finish', () => {
  it('the person who was sent the link signs in, but her session cannot redeem what was begun for another; all of it is gone in a quarter of an hour', async () => {
    const own = await connect.application();
    const eve = new Visitor();
    const begun = await eve.get(useUrl(own, await pushed({ end_user: 'ada' }, own)));
    const done = await connect.approve(eve, begun);
    for (const endUser of ['eve', '', 'ADA', 'ada ', 'ada\u0301']) {
      const refused = await leftBy(connect.world, async () => {
        const answer = await connect.redeem(own, done.location, endUser === '' ? {} : { end_user: endUser });
        expect([answer.status, answer.json.error]).toEqual([400, 'invalid_grant']);
      });
      expect(refused.audit.map(({ action, actor, detail }) => [action, actor.kind, detail['reason'], detail['text']])).toEqual([
        ['account.connect_refused', 'client', 'grant.invalid', 'authorization code, misused: another end_user'],
      ]);
      expect(refused.tables).toEqual([]);
      expect(refused.dump).not.toContain(answerOf(done.location).get('code')!);
    }
    expect(await countOf(own)).toEqual({ accounts: 1, credentials: 1, pending_connections: 1, authorization_codes: 1, tasks: 1 });
    connect.world.clock.advance(16 * 60_000);
    await connect.world.platform.runDueTasks();
    expect(await countOf(own)).toEqual({ accounts: 0, credentials: 0, pending_connections: 0, authorization_codes: 0, tasks: 0 });
  });

  it('control: the one it was pushed for redeems it after all these tries', async () => {
    const own = await connect.application();
    const begun = new Visitor();
    const done = await connect.approve(begun, await begun.get(useUrl(own, await pushed({ end_user: 'ada' }, own))));
    expect((await connect.redeem(own, done.location, { end_user: 'eve' })).status).toBe(400);
    expect((await connect.redeem(own, done.location, { end_user: 'ada' })).json.end_user).toBe('ada');
  });

  it('of two browsers that open the link at once one goes on, and only that one ends the flow', async () => {
    const requestUri = await pushed({ end_user: 'ada' });
    const visitors = [new Visitor(), new Visitor()];
    const begun = await Promise.all(visitors.map((visitor) => visitor.get(useUrl(application, requestUri))));
    expect(begun.map(({ status }) => status).toSorted()).toEqual([303, 400]);
    const winner = begun.findIndex(({ status }) => status === 303);
    const back = connect.upstream.approve(begun[winner]!.location);
    expect((await visitors[1 - winner]!.get(back)).status).toBe(403);
  });

  it('a redirect URI, PKCE verifier or client of somebody else redeems nothing, and is recorded', async () => {
    const done = await connect.connect(application);
    for (const [field, value, text] of [
      ['redirect_uri', 'https://evil.example', 'another redirect_uri'],
      ['code_verifier', 'A'.repeat(43), 'another code_verifier'],
    ] as const) {
      const refused = await leftBy(connect.world, async () => {
        expect((await connect.redeem(application, done.location, { [field]: value })).json.error).toBe('invalid_grant');
      });
      expect(refused.audit.map(({ detail }) => detail['text'])).toEqual([`authorization code, misused: ${text}`]);
      expect(refused.tables).toEqual([]);
    }
    expect((await connect.redeem(application, done.location)).status).toBe(200);
  });
});

describe('refusals by the hundred', () => {
  const refusals = (of: ConnectApplication, count: number) =>
    Promise.all(Array.from({ length: count }, () => new Visitor().get(connect.startUrl(of, { redirect_uri: 'https://evil.example' }))));

  it('leave so many lines a minute, then a count in the next line; another Application’s are written as ever', async () => {
    const own = await connect.application();
    const flood = await leftBy(connect.world, async () => {
      const answers = await refusals(own, REFUSAL_LINES_MAX + 7);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400]));
    });
    expect(flood.audit.length).toBe(REFUSAL_LINES_MAX);
    expect((await leftBy(connect.world, () => refusals(application, 1))).audit.length).toBe(1);
    connect.world.clock.advance(60_000);
    const [line, ...more] = (await leftBy(connect.world, () => refusals(own, 1))).audit;
    expect(line!.detail).toMatchObject({ unrecorded: 7 });
    expect(more).toEqual([]);
  });
});

describe('C2, C3 an answer that comes ten times at once, to two processes', () => {
  it('is redeemed at the service once', async () => {
    const other = await connect.world.beside();
    const own = await connect.application();
    const visitor = new Visitor();
    const back = await approved(visitor, own);
    const left = await leftBy(connect.world, async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, async (_, at) => {
          const tab = new Visitor();
          for (const [name, value] of visitor.cookies) tab.cookies.set(name, value);
          return tab.get(at % 2 === 0 ? back : back.replace(connect.url, other.url));
        }),
      );
      expect(answers.filter(({ location }) => location.includes('code=')).length).toBe(1);
    });
    expect(connect.upstream.tokenRequests).toBe(1);
    expect(left.audit.map(({ action }) => action).toSorted()).toEqual([
      'account.authorize',
      ...Array.from({ length: 9 }, () => 'account.connect_refused'),
    ]);
  });

  it('control: two answers of two flows are redeemed twice', async () => {
    for (const visitor of [new Visitor(), new Visitor()]) await visitor.get(await approved(visitor));
    expect(connect.upstream.tokenRequests).toBe(2);
  });
});
