import { networkInterfaces } from 'node:os';
import { type Address, embeddedAddresses, isLoopback, parseAddress, specialUse } from './address-policy.ts';
import { type AllowList, bareHostname } from './allow-list.ts';
import { type Destination, type EgressPolicy, isPortOpen } from './destination.ts';

export interface ListenerAddress {
  /** An address or a name; a wildcard (`0.0.0.0`, `::`) stands for every address of this machine. */
  readonly host: string;
  readonly port: number;
}

/** The rules of where a call may go. Every answer is a reason for the log, or null for "go". */
export interface Guard {
  /** What can be said before the name is resolved. */
  refusesForm(destination: Destination, policy: EgressPolicy): string | null;
  /** What can be said of one address the name has. `address` as `net.isIP` knows it. */
  refusesAddress(destination: Destination, address: string): string | null;
}

export interface GuardOptions {
  readonly allow: AllowList;
  /** Where this server itself listens. Asked each time, because ports are known only after listening. */
  readonly ownListeners: () => readonly ListenerAddress[];
  /** Every address of this machine. */
  readonly localAddresses?: () => readonly string[];
}

const LOCAL_NAMES = /(?:^|\.)localhost(?:\.localdomain)?$|^(?:ip6-)?(?:localhost|loopback)$|^localhost[46]?$/;

export function createGuard({ allow, ownListeners, localAddresses = interfaceAddresses }: GuardOptions): Guard {
  const refusesAddress = (destination: Destination, text: string): string | null => {
    const address = parseAddress(text);
    if (!address) return `not an address: ${text}`;
    const { hostname, port, protocol } = destination;
    if (isOwnListener(address, port)) return `${text} port ${port} is a listener of this server`;
    if (allow.opensName(hostname, port) || allow.opens(address, port)) return null;
    const special = specialUse(address);
    if (special) return `${text}: ${special}`;
    return protocol === 'https:' ? null : `${text}: http only to destinations the operator has opened`;
  };

  const isOwnListener = (address: Address, port: number): boolean => {
    const listeners = ownListeners().filter((listener) => listener.port === port);
    if (listeners.length === 0) return false;
    const listed = new Set(listeners.map((listener) => normalText(listener.host)));
    const local = new Set(localAddresses().map(normalText));
    return [address, ...embeddedAddresses(address)].some(
      (each) => isLoopback(each) || local.has(each.toNormalizedString()) || listed.has(each.toNormalizedString()),
    );
  };

  return {
    refusesAddress,
    refusesForm(destination, policy) {
      const { hostname, port, protocol, literal } = destination;
      if (ownListeners().some((listener) => listener.port === port && bareHostname(listener.host.toLowerCase()) === hostname)) {
        return `${hostname}:${port} is a listener of this server`;
      }
      const listed = allow.opensName(hostname, port) || (literal !== null && allow.opensEndpoint(literal, port));
      if (!listed && !isPortOpen(policy, port)) return `port ${port} is closed to policy ${policy}`;
      if (literal) return refusesAddress(destination, hostname);
      if (listed || allow.hasAddresses) return null;
      if (LOCAL_NAMES.test(hostname)) return `${hostname} is this machine (RFC 6761 §6.3)`;
      return protocol === 'https:' ? null : 'http only to destinations the operator has opened';
    },
  };
}

function normalText(host: string): string {
  return parseAddress(bareHostname(host).split('%')[0] ?? '')?.toNormalizedString() ?? host;
}

function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}
