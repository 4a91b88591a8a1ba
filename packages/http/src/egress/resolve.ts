import { lookup, Resolver } from 'node:dns/promises';
import { egressErrors, errorCode } from './egress-errors.ts';
import { limits } from './limits.ts';

/** Every address of a name. Rejects when it has none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

const NO_SUCH_NAME = new Set(['ENOTFOUND', 'ENODATA', 'ENONAME', 'EBADNAME']);

/**
 * Asks the name servers directly, not through `getaddrinfo`: that one runs in the four threads which file access and
 * hashing share, so one tenant with a slow name server could hold up everybody. The hosts file, which only
 * `getaddrinfo` reads, is asked after a name server has said quickly that there is no such name.
 */
export const systemResolve: Resolve = async (hostname) => {
  if (/(?:^|\.)localhost$/.test(hostname)) return hostsFile(hostname); // RFC 6761 §6.3: no name server knows this machine
  const resolver = new Resolver({ timeout: limits.resolveTimeoutMs / 2, tries: 2 });
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  const addresses = [v4, v6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (addresses.length > 0) return addresses;
  const codes = [v4, v6].flatMap((answer) => (answer.status === 'rejected' ? [errorCode(answer.reason)] : []));
  if (!codes.every((code) => NO_SUCH_NAME.has(code) || code === 'ECONNREFUSED'))
    throw v4.status === 'rejected' ? v4.reason : new Error('no address');
  return hostsFile(hostname);
};

async function hostsFile(hostname: string): Promise<readonly string[]> {
  return (await lookup(hostname, { all: true, order: 'verbatim' })).map(({ address }) => address);
}

/**
 * A name without an address answers the same as one with a private address; otherwise the difference would tell the
 * names of an internal network from those that do not exist.
 */
export function asResolveError(error: unknown): Error {
  if (NO_SUCH_NAME.has(errorCode(error))) return egressErrors('egress.refused', { cause: error, detail: 'the name has no address' });
  return error instanceof Error ? error : egressErrors('egress.unreachable', { detail: String(error) });
}
