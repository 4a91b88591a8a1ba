import { BlockList, isIPv6 } from 'node:net';
import { ManualClock, PlatformError, silentLog } from '@bulkhead/base';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAddress, specialUse } from './address-policy.ts';
import { createEgress } from './egress.ts';
import { counted, egressWith, upstream } from './egress.harness.ts';

/**
 * The model: IANA's special-purpose registries and multicast, typed anew, in Node's own BlockList. It shares no line with what is tested.
 */
const V4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32';
const V6 =
  '::/96 ::ffff:0:0:0/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8';
const ranges = (text: string) => text.split(' ').map((cidr) => [cidr.split('/')[0]!, Number(cidr.split('/')[1])] as const);
const special = { ipv4: new BlockList(), ipv6: new BlockList() };
for (const [base, bits] of ranges(V4)) special.ipv4.addSubnet(base, bits, 'ipv4');
for (const [base, bits] of ranges(V6)) special.ipv6.addSubnet(base, bits, 'ipv6');
const reachable = new BlockList();
reachable.addSubnet('2000::', 3, 'ipv6');

const v4Text = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
const v6Text = (value: bigint): string =>
  Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16)).join(':');
const v4Value = (text: string): number => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
function v6Value(text: string): bigint {
  const [low = '', high] = text.split('::');
  const groups = (side: string) => (side === '' ? [] : side.split(':'));
  const [head, tail] = [groups(low), groups(high ?? '')];
  const all = high === undefined ? head : [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return all.reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
}

const modelV4 = (value: number): boolean => special.ipv4.check(v4Text(value), 'ipv4');
function modelV6(value: bigint): boolean {
  const last = Number(value & 0xffffffffn);
  if (value >> 32n === v6Value('::ffff:0:0') >> 32n) return modelV4(last); // IPv4-mapped
  if (value >> 32n === v6Value('64:ff9b::') >> 32n) return modelV4(last); // NAT64
  const text = v6Text(value);
  return special.ipv6.check(text, 'ipv6') || !reachable.check(text, 'ipv6');
}

/** Anywhere, and with preference at and around the ends of ranges: where an off-by-one would show. */
const v4 = fc.oneof(
  fc.nat({ max: 0xffffffff }),
  fc.constantFrom(...ranges(V4)).chain(([base, bits]) => {
    const [start, size] = [v4Value(base), 2 ** (32 - bits)];
    return fc.oneof(
      fc.constantFrom(start - 1, start, start + 1, start + size - 1, start + size).map((value) => (value + 2 ** 32) % 2 ** 32),
      fc.nat({ max: size - 1 }).map((offset) => start + offset),
    );
  }),
);
const v6 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
  fc.bigInt({ min: v6Value('2000::'), max: v6Value('3fff::') }),
  fc.constantFrom(...ranges(`${V6} 2000::/3 64:ff9b::/96 ::ffff:0:0/96 2001::/32`)).chain(([base, bits]) => {
    const [start, size] = [v6Value(base), 2n ** BigInt(128 - bits)];
    return fc.oneof(
      fc.constantFrom(start - 1n, start, start + 1n, start + size - 1n, start + size).map((value) => (value + 2n ** 128n) % 2n ** 128n),
      fc.bigInt({ min: 0n, max: size - 1n }).map((offset) => start + offset),
    );
  }),
  fc.tuple(v4, fc.constantFrom('64:ff9b::', '::ffff:0:0', '::', '::ffff:0:0:0')).map(([value, prefix]) => v6Value(prefix) + BigInt(value)),
  fc.tuple(v4, fc.bigInt({ min: 0n, max: 2n ** 80n - 1n })).map(([value, rest]) => v6Value('2002::') + (BigInt(value) << 80n) + rest),
);

const RUNS = { numRuns: 5000 };
const bare = {
  ownListeners: () => [],
  log: silentLog,
  clock: new ManualClock(),
  resolve: () => Promise.reject(new Error('no test may resolve')),
};
const shut = createEgress({ ...bare, allow: [] });
afterAll(() => shut.close());

const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'passes';
  } catch (error) {
    return error instanceof PlatformError ? error.code : String(error);
  }
};

/** Every way in which a URL can spell an IPv4 address: one to four parts, each decimal, octal or hex, in ASCII or not. */
const spelled = fc
  .tuple(
    v4,
    fc.integer({ min: 1, max: 4 }),
    fc.array(fc.constantFrom(10, 8, 16), { minLength: 4, maxLength: 4 }),
    fc.constantFrom('', '.'),
    fc.constantFrom('ascii', 'wide', 'escaped'),
  )
  .map(([value, parts, bases, dot, script]) => {
    const bytes = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
    const rest = bytes.slice(parts - 1).reduce((sum, byte) => sum * 256 + byte, 0);
    const write = (number: number, base: number) =>
      base === 16 ? `0x${number.toString(16)}` : base === 8 ? `0${number.toString(8)}` : String(number);
    const plain = [...bytes.slice(0, parts - 1), rest].map((number, at) => write(number, bases[at]!)).join('.') + dot;
    const host =
      script === 'wide'
        ? plain.replace(/[\d.]/g, (letter) => (letter === '.' ? '\u3002' : String.fromCharCode(0xff10 + Number(letter))))
        : script === 'escaped'
          ? [...plain].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')
          : plain;
    return { value, host };
  });

describe('P4: an address is judged as the registries have it', () => {
  it('for any IPv4 address', () => {
    fc.assert(
      fc.property(v4, (value) => (specialUse(parseAddress(v4Text(value))!) !== null) === modelV4(value)),
      RUNS,
    );
  });

  it('for any IPv6 address', () => {
    fc.assert(
      fc.property(v6, (value) => (specialUse(parseAddress(v6Text(value))!) !== null) === modelV6(value)),
      RUNS,
    );
  });

  it('for any spelling of an IPv4 address in a URL', () => {
    fc.assert(
      fc.property(
        spelled,
        ({ value, host }) => codeOf(() => shut.checkUrl(`https://${host}/`, 'webhook')) === (modelV4(value) ? 'egress.refused' : 'passes'),
      ),
      RUNS,
    );
  });

  it('for any spelling of an IPv6 address in a URL', () => {
    const written = fc.tuple(v6, fc.boolean(), fc.boolean()).map(([value, short, upper]) => {
      const text = short ? new URL(`http://[${v6Text(value)}]/`).hostname : `[${v6Text(value)}]`;
      return { value, host: upper ? text.toUpperCase() : text };
    });
    fc.assert(
      fc.property(
        written,
        ({ value, host }) => codeOf(() => shut.checkUrl(`https://${host}/`, 'webhook')) === (modelV6(value) ? 'egress.refused' : 'passes'),
      ),
      RUNS,
    );
  });

  it.each(['%25eth0', '%eth0', '%251', '%00'])('with a zone it is no address at all: %s', (zone) => {
    for (const address of ['fe80::1', '2606:4700::1111'])
      expect(codeOf(() => shut.checkUrl(`https://[${address}${zone}]/`, 'webhook'))).toBe('egress.url_invalid');
  });
});

describe('P4: a name is judged by all its addresses', () => {
  const get = { policy: 'upstream', tenant: null } as const;
  const text = fc.oneof(v4.map(v4Text), v6.map(v6Text));
  const isSpecial = (address: string) => (isIPv6(address) ? modelV6(v6Value(address)) : modelV4(v4Value(address)));

  it('one special address among any others, at any place, refuses it', async () => {
    let answers: readonly string[] = [];
    const egress = egressWith({ allow: [], resolve: async () => answers });
    const mixed = fc
      .tuple(fc.array(text, { maxLength: 3 }), text.filter(isSpecial), fc.array(text, { maxLength: 3 }))
      .map(([before, one, after]) => [...before, one, ...after]);
    await fc.assert(
      fc.asyncProperty(mixed, async (addresses) => {
        answers = addresses;
        return (
          (await egress.fetch('https://service.example/', get).then(
            () => 'passes',
            (error: PlatformError) => error.code,
          )) === 'egress.refused'
        );
      }),
      { numRuns: 300 },
    );
  });

  it('the addresses that were judged are those connected to, whatever the name says next', async () => {
    const { port, connections } = await counted();
    let asked = 0;
    const egress = egressWith({ allow: [`127.0.0.1:${port}`], resolve: async () => [asked++ % 2 === 0 ? '127.0.0.1' : '10.0.0.1'] });
    for (let round = 0; round < 6; round++) {
      const before = asked;
      const outcome = await egress
        .fetch(`http://service.example:${port}/`, { ...get, headers: { connection: 'close' }, method: 'HEAD' })
        .then(
          ({ status }) => status,
          (error: PlatformError) => error.code,
        );
      // One question for each connection, and the answer to it decides.
      expect([asked - before, outcome]).toEqual([1, before % 2 === 0 ? 200 : 'egress.refused']);
    }
    expect(connections()).toBe(3);
  });

  it('each hop of a redirect is judged like a first call, however it is spelled', async () => {
    let location = '';
    const port = await upstream((_, response) => response.writeHead(302, { location }).end());
    const egress = egressWith({ allow: [`127.0.0.1:${port}`] });
    const inside = spelled.filter(({ value }) => modelV4(value) && v4Text(value) !== '127.0.0.1');
    await fc.assert(
      fc.asyncProperty(inside, fc.constantFrom('http', 'https'), async ({ host }, scheme) => {
        // A header is bytes: what is not ASCII comes percent-encoded.
        location = `${scheme}://${encodeURI(host).replaceAll('%25', '%')}/`;
        const outcome = await egress.fetch(`http://127.0.0.1:${port}/`, { ...get, redirects: 'follow-safe' }).then(
          () => 'passes',
          (error: PlatformError) => error.code,
        );
        return outcome === 'egress.refused';
      }),
      { numRuns: 150 },
    );
  });

  it('our own port is refused at every address of this machine, however it is spelled and whatever is open', () => {
    const own = {
      allow: ['0.0.0.0/0', '::/0'],
      ownListeners: () => [{ host: '0.0.0.0', port: 8443 }],
      localAddresses: () => ['198.51.100.7', '2001:db8::7'],
    };
    const egress = createEgress({ ...bare, ...own });
    const local = fc.oneof(
      spelled.filter(({ value }) => value >>> 24 === 127 || value >>> 24 === 0).map(({ host }) => host),
      fc.constantFrom(
        '198.51.100.7',
        '0xc6.0x33.0x64.7',
        '3325256711',
        '[::ffff:198.51.100.7]',
        '[64:ff9b::198.51.100.7]',
        '[2002:c633:6407::]',
        '[2001:db8::7]',
        '[2001:0DB8:0::0007]',
        '[::]',
        '[::1]',
      ),
    );
    fc.assert(
      fc.property(
        local,
        (host) =>
          codeOf(() => egress.checkUrl(`https://${host}:8443/`, 'upstream')) === 'egress.refused' &&
          codeOf(() => egress.checkUrl(`https://${host}:8444/`, 'upstream')) === 'passes',
      ),
      { numRuns: 1000 },
    );
    return egress.close();
  });
});
