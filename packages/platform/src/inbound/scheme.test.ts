import { Secret } from '@bulkhead/base';
import { describe, expect, test } from 'vitest';
import { senderIds, senders, type Sender, type SenderId, type Sent, withTime } from './inbound.testkit.ts';
import { type InboundRequest, verifyInbound } from './scheme.ts';
import { type SchemeId, schemeIds, schemes } from './schemes.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const SECRET = 'the secret of this Application';
const URL_ = 'https://hub.example/v1/inbound/appX/service';

function made(id: SenderId, { secret = SECRET, atMs = NOW, n = '1' } = {}): Sent {
  const sender: Sender = senders[id];
  return sender.send(sender.content(n), { secret, atMs, url: URL_ }, n);
}

function requestOf(sent: Sent, url = URL_): InboundRequest {
  return { method: sent.method, url, header: (name) => sent.headers[name] ?? null, body: Buffer.from(sent.body) };
}

function verdict(id: SchemeId, sent: Sent, { secrets = [SECRET], url = URL_ } = {}) {
  return verifyInbound(
    schemes[id],
    requestOf(sent, url),
    secrets.map((secret) => new Secret(secret)),
    new Date(NOW),
  );
}

const timed = senderIds.filter((id) => (senders[id] as Sender).time !== undefined);
const signing = senderIds.filter((id) => !(senders[id] as Sender).isToken);
const tolerance = (id: SenderId): number => (senders[id] as Sender).time!.tolerance * 1000;

test('there is a sender for every scheme, and no other', () => {
  expect(senderIds.toSorted()).toEqual(schemeIds.toSorted());
});

describe.each(senderIds)('a message of %s', (id) => {
  const { proof } = senders[id];

  test('is taken as it was sent, whichever of two live secrets it was made with', () => {
    expect(verdict(id, made(id))).toBeNull();
    expect(verdict(id, made(id), { secrets: ['another secret of before', SECRET] })).toBeNull();
  });

  test('made with another secret is not', () => {
    expect(verdict(id, made(id, { secret: 'not the secret of this Application' }))).toMatch(/differs$/);
    expect(verdict(id, made(id), { secrets: [] })).toMatch(/differs$/);
  });

  test('without its proof, or with an empty or odd one, is not', () => {
    const { [proof]: good, ...rest } = made(id).headers;
    expect(verdict(id, { ...made(id), headers: rest })).toBe('no signature');
    for (const odd of ['', 'x', good!.slice(0, -1), `${good!}0`, `${good!}, ${good!}`, good!.toUpperCase(), `\u00e9${good!}`])
      expect(verdict(id, { ...made(id), headers: { ...rest, [proof]: odd } }), odd).not.toBeNull();
  });
});

describe.each(signing)('a signed message of %s', (id) => {
  test('with another body is not taken, be it one byte longer, shorter or other', () => {
    const { body, ...rest } = made(id);
    for (const other of [`${body} `, body.slice(0, -1), body.replace('"', "'"), ''])
      expect(verdict(id, { ...rest, body: other }), other).toBe('signature differs');
  });
});

describe.each(senderIds.filter((id) => (senders[id] as Sender).isToken))('a message of %s, which signs nothing', (id) => {
  test('is taken with another body: the token only says who sent it', () => {
    expect(verdict(id, { ...made(id), body: 'anything' })).toBeNull();
  });
});

describe.each(timed)('the time of a message of %s', (id) => {
  test('is good for as long as the service says, in both directions, and not for a second longer', () => {
    expect(verdict(id, made(id, { atMs: NOW - tolerance(id) }))).toBeNull();
    expect(verdict(id, made(id, { atMs: NOW + tolerance(id) }))).toBeNull();
    expect(verdict(id, made(id, { atMs: NOW - tolerance(id) - 1000 }))).toBe('too old');
    expect(verdict(id, made(id, { atMs: NOW + tolerance(id) + 1000 }))).toBe('of the future');
  });

  test('is signed: an old message cannot be given a new one', () => {
    const old = made(id, { atMs: NOW - tolerance(id) - 60_000 });
    expect(verdict(id, withTime(id, old, NOW))).toBe('signature differs');
    // Control: what is not changed by the change of its time is the reason of before.
    expect(verdict(id, withTime(id, old, NOW - tolerance(id) - 60_000))).toBe('too old');
  });

  test('has to be there, and to be a time', () => {
    const good = made(id);
    const { header } = (senders[id] as Sender).time!;
    if (id === 'stripe') {
      const [, ...signatures] = good.headers[header]!.split(',');
      for (const times of [[], ['t='], ['t=soon'], ['t=-1'], ['t=1', `t=${NOW / 1000}`]])
        expect(verdict(id, { ...good, headers: { ...good.headers, [header]: [...times, ...signatures].join(',') } })).toBe('no time');
      return;
    }
    const { [header]: _, ...rest } = good.headers;
    expect(verdict(id, { ...good, headers: rest })).toBe('no time');
    for (const odd of ['soon', '-1', '1e3', ' 1', '0x10', 'Infinity', '9'.repeat(16), '2026-13-01T00:00:00Z', '2026-03-01'])
      expect(verdict(id, { ...good, headers: { ...rest, [header]: odd } }), odd).toBe('no time');
  });
});

describe("a service's own ways", () => {
  test('Stripe: one good signature among several is enough, and one of its older form is none', () => {
    const sent = made('stripe');
    const [time, , good] = sent.headers['stripe-signature']!.split(',') as [string, string, string];
    const of = (...fields: readonly string[]) => verdict('stripe', { ...sent, headers: { 'stripe-signature': fields.join(',') } });
    expect(of(time, `v1=${'0'.repeat(64)}`, good)).toBeNull();
    expect(of(time, good.replace('v1=', 'v0='))).toBe('no signature');
    expect(of(time, `v1=${'0'.repeat(64)}`)).toBe('signature differs');
  });

  test('Box: either of its two signatures is enough', () => {
    const { 'box-signature-primary': good, ...rest } = made('box').headers;
    const of = (headers: Record<string, string>) => verdict('box', { ...made('box'), headers: { ...rest, ...headers } });
    const bad = Buffer.alloc(32).toString('base64');
    expect(of({ 'box-signature-primary': bad, 'box-signature-secondary': good! })).toBeNull();
    expect(of({ 'box-signature-primary': good!, 'box-signature-secondary': bad })).toBeNull();
    expect(of({ 'box-signature-primary': bad, 'box-signature-secondary': bad })).toBe('signature differs');
  });

  test('HubSpot: the address is signed, with some of its characters decoded', () => {
    expect(verdict('hubspot', made('hubspot'), { url: 'https://hub.example/v1/inbound/appY/service' })).toBe('signature differs');
    const sender: Sender = senders.hubspot;
    const sent = sender.send(sender.content('1'), { secret: SECRET, atMs: NOW, url: `${URL_}?to=a@b:c/d&keep=%20%26` }, '1');
    expect(verdict('hubspot', sent, { url: `${URL_}?to=a%40b%3Ac%2fd&keep=%20%26` })).toBeNull();
    expect(verdict('hubspot', sent, { url: `${URL_}?to=a%40b%3Ac%2fd&keep= &` })).toBe('signature differs');
  });

  test('GitHub: the old signature by SHA-1 is none', () => {
    const { 'x-hub-signature-256': _, ...rest } = made('github').headers;
    expect(verdict('github', { ...made('github'), headers: { ...rest, 'x-hub-signature': `sha1=${'0'.repeat(40)}` } })).toBe(
      'no signature',
    );
  });
});
