import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { embeddedAddresses, parseAddress, SPECIAL_V4, SPECIAL_V6, specialUse } from './address-policy.ts';
import { parseDestination } from './destination.ts';

const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '93.184.216.34',
  '172.15.255.255',
  '172.32.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '223.255.255.255',
  '11.0.0.0',
  '9.255.255.255',
  '169.253.255.255',
  '192.167.255.255',
];
const PUBLIC_V6 = [
  '2606:4700:4700::1111',
  '2a00:1450:4001:81b::200e',
  '2001:4860:4860::8888',
  '2001:200::1',
  '64:ff9b::808:808',
  '::ffff:8.8.8.8',
];

const why = (text: string): string | null => {
  const address = parseAddress(text);
  if (!address) throw new Error(`not an address: ${text}`);
  return specialUse(address);
};
const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
const hexPair = (value: number): string => `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;

/** Any address of any special IPv4 range. */
const specialV4 = fc.constantFrom(...SPECIAL_V4).chain(([cidr]) => {
  const [base = '', bits = '32'] = cidr.split('/');
  const start = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return fc.integer({ min: 0, max: 2 ** (32 - Number(bits)) - 1 }).map((offset) => start + offset);
});

describe('IANA special-use addresses', () => {
  it.each(SPECIAL_V4)('%s is refused: %s, %s', (cidr) => {
    expect(why(cidr.split('/')[0]!)).toContain('(');
  });

  it.each(SPECIAL_V6)('%s is refused: %s, %s', (cidr) => {
    expect(why(cidr.split('/')[0]!)).toContain('(');
  });

  it.each([...PUBLIC, ...PUBLIC_V6])('%s is an ordinary public address', (text) => {
    expect(why(text)).toBeNull();
  });

  it.each([
    '10.255.255.255',
    '172.31.255.255',
    '192.168.255.255',
    '127.255.255.255',
    '100.127.255.255',
    '198.19.255.255',
    '239.255.255.255',
    '169.254.169.254',
    '168.63.129.16',
    '100.100.100.200',
  ])('the end of a range and the metadata addresses are refused: %s', (text) => expect(why(text)).not.toBeNull());

  it.each([
    'fd00:ec2::254',
    'fe80::a9fe:a9fe',
    'febf::1',
    'fdff::1',
    '4000::1',
    '1::',
    'e000::1',
    '64:ff9c::1',
    '2001:0:1::',
    '2001:1ff::1',
  ])('%s is refused', (text) => expect(why(text)).not.toBeNull());

  it.each(['fe80::1%eth0', '127.1', '0x7f.0.0.1', '0177.0.0.1', '2130706433', '', 'localhost', '1.2.3.4.', '[::1]'])(
    '%j is no canonical spelling, so it is no address',
    (text) => {
      expect(parseAddress(text)).toBeNull();
    },
  );
});

describe('every spelling of a special IPv4 address', () => {
  const spellings: Record<string, (value: number) => string> = {
    dotted,
    dword: String,
    'hex dword': (value) => `0x${value.toString(16)}`,
    'octal dword': (value) => `0${value.toString(8)}`,
    'hex parts': (value) =>
      dotted(value)
        .split('.')
        .map((part) => `0x${Number(part).toString(16)}`)
        .join('.'),
    'octal parts': (value) =>
      dotted(value)
        .split('.')
        .map((part) => `0${Number(part).toString(8)}`)
        .join('.'),
    'two parts': (value) => `${value >>> 24}.${value & 0xffffff}`,
    'three parts': (value) => `${value >>> 24}.${(value >>> 16) & 0xff}.${value & 0xffff}`,
    'percent-encoded': (value) => [...dotted(value)].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join(''),
    'full-width digits': (value) => dotted(value).replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit))),
    'ideographic full stops': (value) => dotted(value).replaceAll('.', '\u3002'),
    'trailing dot': (value) => `${dotted(value)}.`,
    mapped: (value) => `[::ffff:${dotted(value)}]`,
    'mapped in hex': (value) => `[0:0:0:0:0:FFFF:${hexPair(value)}]`,
    compatible: (value) => `[::${dotted(value)}]`,
    NAT64: (value) => `[64:ff9b::${hexPair(value)}]`,
    '6to4': (value) => `[2002:${hexPair(value)}::1]`,
    'Teredo server': (value) => `[2001:0:${hexPair(value)}::1]`,
    'Teredo client': (value) => `[2001:0:808:808:0:0:${hexPair(~value >>> 0)}]`,
    'IPv4-translated': (value) => `[::ffff:0:${dotted(value)}]`,
  };

  it.each(Object.entries(spellings))('is refused: %s', (_, spell) => {
    fc.assert(
      fc.property(specialV4, (value) => {
        const { literal } = parseDestination(`https://${spell(value)}/`);
        return literal !== null && specialUse(literal) !== null;
      }),
    );
  });

  // Control: the same spellings of a public address pass, where the form can carry one at all.
  it.each(['dotted', 'dword', 'hex parts', 'octal parts', 'percent-encoded', 'full-width digits', 'trailing dot', 'mapped', 'NAT64'])(
    'is an ordinary address where the address is public: %s',
    (name) => {
      const { literal } = parseDestination(`https://${spellings[name]!(0x08080808)}/`);
      expect(literal && specialUse(literal)).toBeNull();
    },
  );
});

describe('addresses inside addresses', () => {
  it.each([
    ['64:ff9b::a9fe:a9fe', ['169.254.169.254']],
    ['2002:7f00:1::', ['127.0.0.1']],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', ['65.54.227.120', '192.0.2.45']],
    ['::10.0.0.1', ['10.0.0.1']],
    ['::1', []],
    ['2606:4700::1', []],
  ])('%s carries %j', (text, expected) => {
    const address = parseAddress(text);
    expect(address && embeddedAddresses(address).map(String)).toEqual(expected);
  });

  it('an IPv4-mapped address is the IPv4 address', () => {
    expect(String(parseAddress('::ffff:7f00:1'))).toBe('127.0.0.1');
  });
});
