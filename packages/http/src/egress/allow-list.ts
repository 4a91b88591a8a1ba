import { isIP } from 'node:net';
import { type Address, embeddedAddresses, isV6, parseAddress, readAddress } from './address-policy.ts';
import { egressErrors } from './egress-errors.ts';

/** What the operator has opened although it is not public. */
export interface AllowList {
  /** Whether a rule opens this address: the address itself and every address it carries. */
  opens(address: Address, port: number): boolean;
  /** Whether a rule lists this very address and port, which opens a port that a policy would close. */
  opensEndpoint(address: Address, port: number): boolean;
  /** Whether `name:port` is listed by name; every address it resolves to is then open, on that port only. */
  opensName(hostname: string, port: number): boolean;
  /** Whether some rule could open a name that is not listed by name: it has ranges or addresses. */
  readonly hasAddresses: boolean;
}

type Range = [Address, number];

/**
 * Reads the operator's list. Each entry is a CIDR (`10.0.0.0/8`, `fd00::/8`), an address (`10.1.2.3`), or
 * `host:port` (`127.0.0.1:8080`, `[::1]:8080`, `files.internal:8443`).
 * @throws PlatformError `egress.allow_list_invalid` on anything else: a list misread must not open or shut a network.
 */
export function parseAllowList(entries: readonly string[]): AllowList {
  const ranges: { range: Range; port: number | null }[] = [];
  const names = new Set<string>();
  for (const entry of entries.map((text) => text.trim()).filter((text) => text !== '')) {
    const range = parseRange(entry);
    if (range) {
      ranges.push({ range, port: null });
      continue;
    }
    const endpoint = parseEndpoint(entry);
    if (!endpoint) throw egressErrors('egress.allow_list_invalid', { params: { entry } });
    const address = parseAddress(endpoint.host);
    if (address) ranges.push({ range: [address, isV6(address) ? 128 : 32], port: endpoint.port });
    else names.add(`${endpoint.host}:${endpoint.port}`);
  }
  const opensOne = (address: Address, port: number): boolean =>
    ranges.some((rule) => (rule.port === null || rule.port === port) && matches(address, rule.range));
  return {
    opens: (address, port) => [address, ...embeddedAddresses(address)].every((each) => opensOne(each, port)),
    opensEndpoint: (address, port) => ranges.some((rule) => rule.port === port && matches(address, rule.range)),
    opensName: (hostname, port) => names.has(`${hostname}:${port}`),
    hasAddresses: ranges.length > 0,
  };
}

function matches(address: Address, [base, bits]: Range): boolean {
  return address.kind() === base.kind() && address.match(base, bits);
}

function parseRange(entry: string): Range | null {
  const parts = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry);
  const text = parts?.[1] ?? '';
  if (isIP(text) === 0 || text.includes('%')) return null;
  const address = readAddress(text);
  const widest = isV6(address) ? 128 : 32;
  const bits = parts?.[2] === undefined ? widest : Number(parts[2]);
  if (bits > widest) return null;
  // Addresses are compared after unmapping, so a mapped range has to be unmapped too or it would never match.
  if (isV6(address) && address.isIPv4MappedAddress()) return bits >= 96 ? [address.toIPv4Address(), bits - 96] : null;
  return [address, bits];
}

function parseEndpoint(entry: string): { host: string; port: number } | null {
  const parts = /^(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\\]+):(\d{1,5})$/.exec(entry);
  const port = Number(parts?.[2]);
  if (!parts || port < 1 || port > 65_535) return null;
  const url = URL.parse(`http://${parts[1]}:${port}/`);
  return url ? { host: bareHostname(url.hostname), port } : null;
}

/** A WHATWG hostname without the brackets of IPv6 and without the root's dot. */
export function bareHostname(hostname: string): string {
  if (hostname.startsWith('[')) return hostname.slice(1, -1);
  return hostname.endsWith('.') ? hostname.slice(0, -1) : hostname;
}
