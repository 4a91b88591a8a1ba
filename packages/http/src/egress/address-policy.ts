import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** One row: range, what it is for, the document that says so. */
type SpecialRange = readonly [cidr: string, purpose: string, source: string];

/** IANA IPv4 Special-Purpose Address Registry, multicast, and public addresses at which a cloud answers its own machines. */
export const SPECIAL_V4: readonly SpecialRange[] = [
  ['0.0.0.0/8', 'this network', 'RFC 791 §3.2'],
  ['10.0.0.0/8', 'private use', 'RFC 1918'],
  ['100.64.0.0/10', 'shared address space', 'RFC 6598'],
  ['127.0.0.0/8', 'loopback', 'RFC 1122 §3.2.1.3'],
  ['169.254.0.0/16', 'link local, cloud metadata', 'RFC 3927'],
  ['172.16.0.0/12', 'private use', 'RFC 1918'],
  ['192.0.0.0/24', 'IETF protocol assignments', 'RFC 6890 §2.1'],
  ['192.0.2.0/24', 'documentation', 'RFC 5737'],
  ['192.31.196.0/24', 'AS112', 'RFC 7535'],
  ['192.52.193.0/24', 'AMT', 'RFC 7450'],
  ['192.88.99.0/24', '6to4 relay anycast', 'RFC 7526'],
  ['192.168.0.0/16', 'private use', 'RFC 1918'],
  ['192.175.48.0/24', 'direct delegation AS112', 'RFC 7534'],
  ['198.18.0.0/15', 'benchmarking', 'RFC 2544'],
  ['198.51.100.0/24', 'documentation', 'RFC 5737'],
  ['203.0.113.0/24', 'documentation', 'RFC 5737'],
  ['224.0.0.0/4', 'multicast', 'RFC 5771'],
  ['240.0.0.0/4', 'reserved', 'RFC 1112 §4'],
  ['255.255.255.255/32', 'limited broadcast', 'RFC 8190'],
  // A public address, yet on Azure it is the host agent, which hands out certificates and extension settings.
  ['168.63.129.16/32', 'cloud metadata', 'Azure'],
];

/** IANA IPv6 Special-Purpose Address Registry and deprecated forms. What lies outside 2000::/3 is refused by the last rows. */
export const SPECIAL_V6: readonly SpecialRange[] = [
  ['::/128', 'unspecified', 'RFC 4291 §2.5.2'],
  ['::1/128', 'loopback', 'RFC 4291 §2.5.3'],
  ['::/96', 'IPv4-compatible', 'RFC 4291 §2.5.5.1'],
  ['::ffff:0:0:0/96', 'IPv4-translated', 'RFC 2765 §2.1'],
  ['64:ff9b:1::/48', 'local IPv4/IPv6 translation', 'RFC 8215'],
  ['100::/64', 'discard only', 'RFC 6666'],
  ['100:0:0:1::/64', 'dummy prefix', 'RFC 9780'],
  ['2001::/32', 'Teredo', 'RFC 4380'],
  ['2001::/23', 'IETF protocol assignments', 'RFC 2928'],
  ['2001:db8::/32', 'documentation', 'RFC 3849'],
  ['2002::/16', '6to4', 'RFC 3056'],
  ['2620:4f:8000::/48', 'direct delegation AS112', 'RFC 7534'],
  ['3fff::/20', 'documentation', 'RFC 9637'],
  ['5f00::/16', 'segment routing', 'RFC 9602'],
  ['fc00::/7', 'unique local, cloud metadata', 'RFC 4193'],
  ['fe80::/10', 'link local', 'RFC 4291 §2.5.6'],
  ['fec0::/10', 'site local', 'RFC 3879'],
  ['ff00::/8', 'multicast', 'RFC 4291 §2.7'],
];

const parsedV4 = SPECIAL_V4.map(([cidr, purpose, source]) => ({
  range: ipaddr.IPv4.parseCIDR(cidr),
  why: `${cidr} ${purpose} (${source})`,
}));
const parsedV6 = SPECIAL_V6.map(([cidr, purpose, source]) => ({
  range: ipaddr.IPv6.parseCIDR(cidr),
  why: `${cidr} ${purpose} (${source})`,
}));
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
const TEREDO = ipaddr.IPv6.parseCIDR('2001::/32');
const SIX_TO_FOUR = ipaddr.IPv6.parseCIDR('2002::/16');
const COMPATIBLE = ipaddr.IPv6.parseCIDR('::/96');
const TRANSLATED = ipaddr.IPv6.parseCIDR('::ffff:0:0:0/96');

/**
 * The address that `text` spells, or null. Only canonical spellings count (those of `net.isIP`, no zone id): URLs have
 * been through the WHATWG parser, which turns `0x7f.1`, `017700000001` and `2130706433` into `127.0.0.1`.
 * An IPv4-mapped IPv6 address is the IPv4 address that the socket would reach (RFC 4291 §2.5.5.2).
 */
export function parseAddress(text: string): Address | null {
  if (isIP(text) === 0 || text.includes('%')) return null;
  const address = readAddress(text);
  return isV6(address) && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Reads what `net.isIP` accepts, without unmapping. */
export function readAddress(text: string): Address {
  // ipaddr.js takes `::10.0.0.1` for the mapped form, which is another address; the URL parser writes it in hex.
  const plain = text.includes(':') && text.includes('.') ? URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1) : text;
  return ipaddr.parse(plain ?? text);
}

/** Why `address` is not an ordinary public address, or null if it is. Addresses inside a tunnel's address count too. */
export function specialUse(address: Address): string | null {
  for (const each of [address, ...embeddedAddresses(address)]) {
    const why = isV6(each) ? specialUseV6(each) : parsedV4.find(({ range }) => each.match(range))?.why;
    if (why) return each === address ? why : `carries ${each.toString()}: ${why}`;
  }
  return null;
}

function specialUseV6(address: ipaddr.IPv6): string | undefined {
  const row = parsedV6.find(({ range }) => address.match(range));
  if (row) return row.why;
  // NAT64 is the one prefix outside global unicast through which public hosts are reached; its IPv4 address decides.
  return address.match(GLOBAL_UNICAST) || address.match(NAT64) ? undefined : 'not global unicast (RFC 4291 §2.4)';
}

/** The IPv4 addresses that a packet to this IPv6 address may end at: NAT64, 6to4, Teredo (server and client), compatible. */
export function embeddedAddresses(address: Address): readonly ipaddr.IPv4[] {
  if (!isV6(address)) return [];
  const bytes = address.toByteArray();
  const v4At = (offset: number, flip = 0): ipaddr.IPv4 => new ipaddr.IPv4(bytes.slice(offset, offset + 4).map((byte) => byte ^ flip));
  if (address.match(SIX_TO_FOUR)) return [v4At(2)];
  // RFC 4380 §4: the client's address is stored with every bit inverted.
  if (address.match(TEREDO)) return [v4At(4), v4At(12, 0xff)];
  if (address.match(NAT64) || address.match(TRANSLATED)) return [v4At(12)];
  if (address.match(COMPATIBLE) && !isLoopback(address)) return [v4At(12)];
  return [];
}

/** Whether a packet to `address` stays on this machine, whatever its interfaces are. */
export function isLoopback(address: Address): boolean {
  const [first] = address.toByteArray();
  // Linux delivers 0.0.0.0 and :: to itself.
  return isV6(address) ? ['::1', '::'].includes(address.toString()) : first === 127 || first === 0;
}

export function isV6(address: Address): address is ipaddr.IPv6 {
  return address.kind() === 'ipv6';
}
