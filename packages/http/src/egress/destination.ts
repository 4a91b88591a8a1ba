import { bareHostname } from './allow-list.ts';
import { type Address, parseAddress } from './address-policy.ts';
import { egressErrors } from './egress-errors.ts';
import { limits } from './limits.ts';

/** Why a call is made; decides the ports it may use. */
export type EgressPolicy = 'upstream' | 'webhook' | 'descriptor' | 'function';

/** A URL whose form has been checked; says nothing yet about its address. */
export interface Destination {
  readonly url: URL;
  /** `scheme://host[:port]`, without the root's dot. */
  readonly origin: string;
  readonly protocol: 'http:' | 'https:';
  /** Lower case, punycoded, no brackets, no root's dot. */
  readonly hostname: string;
  readonly port: number;
  /** The address, where the host is one. */
  readonly literal: Address | null;
  /** Path and query: the request target. */
  readonly target: string;
}

/**
 * Ports where another protocol listens that a crafted request could speak (WHATWG Fetch §2.9 "bad port",
 * Redis and memcached). No policy reaches them, except where the operator lists the very host and port.
 */
const OTHER_PROTOCOLS = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117,
  119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636,
  989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10080, 11211,
]);

/** Upstream APIs are configured by an administrator; the other URLs are written by anyone who may register something. */
const PORTS: Record<EgressPolicy, (port: number) => boolean> = {
  upstream: () => true,
  webhook: isWebPort,
  descriptor: isWebPort,
  function: isWebPort,
};

function isWebPort(port: number): boolean {
  return port === 80 || port === 443 || port >= 1024;
}

/** Whether `policy` may use `port` at a destination the operator has not listed by host and port. */
export function isPortOpen(policy: EgressPolicy, port: number): boolean {
  return !OTHER_PROTOCOLS.has(port) && PORTS[policy](port);
}

const HOSTNAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/;

/**
 * Checks the form of a URL and takes it apart, once: what is checked here is what is connected to later.
 * Stricter than the WHATWG parser where that is lenient (`https:host`, `\`, tabs, empty userinfo), because each leniency
 * is a place where two programs could read two hosts.
 * @throws PlatformError `egress.url_invalid`, naming `field` if given.
 */
export function parseDestination(input: string | URL, field?: string): Destination {
  const refuse = (reason: string): never => {
    throw egressErrors('egress.url_invalid', { params: { reason }, ...(field === undefined ? {} : { field }) });
  };
  const text = typeof input === 'string' ? input : input.href;
  if (text.length > limits.urlLengthMax) refuse('it is too long');
  if (/[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff]/.test(text)) refuse('it contains a space or a control character');
  if (text.includes('\\')) refuse('it contains a backslash');
  const authority = /^https?:\/\/([^/?#]+)/i.exec(text)?.[1];
  if (authority === undefined) return refuse('it must begin with https:// and name a host');
  if (authority.includes('@')) refuse('it must not contain a user name or password');
  const url = URL.parse(text) ?? refuse('it is malformed');
  const hostname = bareHostname(url.hostname);
  const literal = parseAddress(hostname);
  if (!literal && !HOSTNAME.test(hostname)) refuse('its host name is malformed');
  const protocol = url.protocol === 'https:' ? 'https:' : 'http:';
  const port = url.port === '' ? (protocol === 'https:' ? 443 : 80) : Number(url.port);
  if (port === 0) refuse('its port is not a port');
  const shownHost = url.hostname.startsWith('[') ? url.hostname : hostname;
  return {
    url,
    origin: `${protocol}//${shownHost}${url.port === '' ? '' : `:${url.port}`}`,
    protocol,
    hostname,
    port,
    literal,
    target: url.pathname + url.search,
  };
}
