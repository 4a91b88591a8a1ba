import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, type ConnectApplication, ConnectWorld, REDIRECT_URI } from '../../test/connect-world.ts';
import { FakeUpstream } from '../../test/fake-upstream.ts';
import { leftBy } from '../../test/stored-rows.ts';
import { Visitor } from '../../test/visitor.ts';

let connect: ConnectWorld;
let template: ConnectApplication;
let clones: readonly [ConnectApplication, ConnectApplication];
beforeAll(async () => {
  connect = await ConnectWorld.create();
  template = await connect.application();
  const clone = async (name: string) => connect.world.application({ source: template.id, name });
  clones = [await clone('Alder'), await clone('Birch')];
});
afterAll(async () => {
  await connect[Symbol.asyncDispose]();
});
beforeEach(() => {
  connect.upstream.tokenRequests = 0;
  connect.upstream.person = { id: 'ada', name: 'ada@example.com' };
});

/** Begins at each, in one browser; answers what the service would send it back with. */
async function underWay(visitor: Visitor, applications: readonly { id: string }[]): Promise<URL[]> {
  const backs: URL[] = [];
  for (const of of applications)
    backs.push(new URL(connect.upstream.approve((await visitor.get(connect.startUrl(of, { state: of.id }))).location)));
  return backs;
}

/** `from`'s parameter put into `into`. */
function swapped(into: URL, from: URL, ...names: readonly string[]): string {
  const url = new URL(into);
  for (const name of names) url.searchParams.set(name, from.searchParams.get(name) ?? '');
  return url.href;
}

const accountsOf = async (of: ConnectApplication) =>
  (await connect.world.call('GET', '/v1/accounts', { headers: { authorization: `APIKey ${of.apiKey}` } })).json.objects as { id: number }[];

describe('C2 two clones that look alike to one provider', () => {
  it('control: client, callback and scope are the same for both, state and PKCE are not', async () => {
    const visitor = new Visitor();
    const [one, two] = await Promise.all(
      clones.map(async (of) => connect.upstream.read((await visitor.get(connect.startUrl(of))).location).parameters),
    );
    const shared = ['client_id', 'redirect_uri', 'scope', 'response_type'];
    expect(shared.map((name) => one!.get(name))).toEqual(shared.map((name) => two!.get(name)));
    for (const name of ['state', 'code_challenge']) expect(one!.get(name)).not.toBe(two!.get(name));
  });

  it('both flows of one browser end each at its own Application, in any order', async () => {
    const visitor = new Visitor();
    const [one, two] = await underWay(visitor, clones);
    for (const [of, back] of [
      [clones[1], two!],
      [clones[0], one!],
    ] as const) {
      const told = answerOf((await visitor.get(back.href)).location);
      expect([told.get('state'), told.has('code')]).toEqual([of.id, true]);
    }
  });

  it("a code of one in the answer of the other connects nothing, to neither, although the client and the callback are the other's too", async () => {
    const visitor = new Visitor();
    const [one, two] = await underWay(visitor, clones);
    const left = await leftBy(connect.world, async () => {
      const told = answerOf((await visitor.get(swapped(two!, one!, 'code'))).location);
      expect([told.get('error'), told.get('state')]).toEqual(['server_error', clones[1].id]);
    });
    expect(left.audit.map(({ application_id: id, detail }) => [id, detail['reason']])).toEqual([[clones[1].id, 'upstream.code_refused']]);
    expect(left.tables).toEqual(['authorization_transactions']);
    // The other's flow was not touched, but its code is spent.
    expect(answerOf((await visitor.get(one!.href)).location).get('state')).toBe(clones[0].id);
  });

  it("a state of one with the marker of the other's flow ends the flow", async () => {
    const [ada, eve] = [new Visitor(), new Visitor()];
    const [one] = await underWay(ada, [clones[0]]);
    await underWay(eve, [clones[1]]);
    const left = await leftBy(connect.world, async () => expect((await eve.get(one!.href)).status).toBe(403));
    expect(left.audit.map(({ application_id: id, detail }) => [id, detail['reason']])).toEqual([
      [clones[0].id, 'authorization.other_browser'],
    ]);
    expect(connect.upstream.tokenRequests).toBe(0);
  });

  it("a code of ours that one was given is not redeemed by the other's key, and is good for its own", async () => {
    const done = await connect.connect(clones[0]);
    const other = await connect.redeem({ id: clones[0].id, apiKey: clones[1].apiKey }, done.location);
    expect([other.status, other.json.error]).toEqual([401, 'invalid_client']);
    expect((await connect.redeem({ id: clones[1].id, apiKey: clones[1].apiKey }, done.location)).json.error).toBe('invalid_grant');
    expect((await connect.redeem(clones[0], done.location)).status).toBe(200);
  });

  it('the same person connected at both is two accounts with credentials of their own; ending one leaves the other', async () => {
    const ids: number[] = [];
    for (const of of clones) ids.push((await connect.redeem(of, (await connect.connect(of)).location)).json.account_id);
    expect(ids[0]).not.toBe(ids[1]);
    const remove = await connect.world.call('DELETE', `/v1/accounts/${ids[0]}`, {
      headers: { authorization: `APIKey ${clones[0].apiKey}` },
    });
    expect(remove.status).toBe(204);
    expect((await accountsOf(clones[0])).map(({ id }) => id)).not.toContain(ids[0]);
    expect((await accountsOf(clones[1])).map(({ id }) => id)).toContain(ids[1]);
  });

  it('a link pushed at one opens nothing at the other, and reconnects nothing there', async () => {
    const { json } = await connect.redeem(clones[0], (await connect.connect(clones[0])).location);
    const refused = await connect.push(clones[1], { account_id: String(json.account_id) });
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_request']);
    expect((await connect.push(clones[0], { account_id: String(json.account_id) })).status).toBe(201);
  });
});

describe('C2, RFC 9700 §4.4 an authorization server that an attacker runs beside an honest one', () => {
  let attacker: FakeUpstream;
  let mixed: ConnectWorld;
  let both: ConnectApplication;
  let honest: FakeUpstream;
  beforeAll(async () => {
    attacker = await FakeUpstream.start();
    mixed = await ConnectWorld.create([attacker.address]);
    honest = mixed.upstream;
    both = await mixed.application({}, [honest.service('harbour'), attacker.service('trap')]);
  });
  afterAll(async () => {
    await mixed[Symbol.asyncDispose]();
    await attacker[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    honest.tokenRequests = 0;
    attacker.tokenRequests = 0;
  });

  /** The attacker's sign-in page sends the browser on to the honest server, with the state of the attacker's own flow. */
  async function sentOn(visitor: Visitor, redirectUri: 'honest' | 'own'): Promise<URL> {
    const own = await visitor.get(mixed.startUrl(both, { scope: 'trap' }));
    const mine = attacker.read(own.location);
    const aside = honest.read((await new Visitor().get(mixed.startUrl(both, { scope: 'harbour' }))).location);
    const forged = new URL(`${honest.url}/authorize?${aside.parameters.toString()}`);
    forged.searchParams.set('state', mine.state);
    if (redirectUri === 'own') forged.searchParams.set('redirect_uri', mine.redirectUri);
    return new URL(honest.approve(forged.href));
  }

  it("the honest server's answer at its own callback belongs to no flow there: nobody is asked for tokens", async () => {
    const visitor = new Visitor();
    const back = await sentOn(visitor, 'honest');
    const left = await leftBy(mixed.world, async () =>
      expect(answerOf((await visitor.get(back.href)).location).get('error')).toBe('server_error'),
    );
    expect(left.audit.map(({ detail }) => detail['reason'])).toEqual(['authorization.service_changed']);
    expect([honest.tokenRequests, attacker.tokenRequests]).toEqual([0, 0]);
  });

  it("at the attacker's callback its iss gives it away: the attacker never sees the code", async () => {
    const visitor = new Visitor();
    const back = await sentOn(visitor, 'own');
    const left = await leftBy(mixed.world, async () =>
      expect(answerOf((await visitor.get(back.href)).location).get('error')).toBe('server_error'),
    );
    expect(left.audit.map(({ detail }) => detail['reason'])).toEqual(['upstream.issuer_mismatch']);
    expect([honest.tokenRequests, attacker.tokenRequests]).toEqual([0, 0]);
  });

  it('control: each flow at its own server connects', async () => {
    for (const [service, server] of [
      ['harbour', honest],
      ['trap', attacker],
    ] as const) {
      const visitor = new Visitor();
      const back = server.approve((await visitor.get(mixed.startUrl(both, { scope: service }))).location);
      expect(answerOf((await visitor.get(back)).location).has('code')).toBe(true);
    }
  });
});

describe('C2 an endpoint that changes takes its callback with it', () => {
  it('the old callback ends the flow, the new one takes no state of the old, and a new flow connects', async () => {
    const own = await connect.application();
    const [left, moved] = [new Visitor(), new Visitor()];
    const [atOld] = await underWay(left, [own]);
    const [atNew] = await underWay(moved, [own]);
    const change = { api: { base_url: `${connect.upstream.url}/v2` } };
    const patched = await connect.world.meta('PATCH', `/applications/${own.id}/services/harbour`, change);
    const callback = new URL(patched.json.callback_url).pathname;
    expect(callback).not.toBe(atOld!.pathname);
    atNew!.pathname = callback;
    for (const [visitor, back] of [
      [left, atOld!],
      [moved, atNew!],
    ] as const) {
      const refused = await leftBy(connect.world, async () =>
        expect(answerOf((await visitor.get(back.href)).location).get('error')).toBe('server_error'),
      );
      expect(refused.audit.map(({ detail }) => detail['reason'])).toEqual(['authorization.service_changed']);
    }
    expect(connect.upstream.tokenRequests).toBe(0);
    const again = await connect.connect(own);
    expect(again.location.startsWith(`${REDIRECT_URI}?code=`)).toBe(true);
  });
});
