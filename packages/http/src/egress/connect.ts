import { isIP, type LookupFunction, type Socket } from 'node:net';
import { buildConnector, errors } from 'undici';
import type { Destination } from './destination.ts';
import { egressErrors } from './egress-errors.ts';
import type { Guard } from './guard.ts';
import { limits } from './limits.ts';
import { asResolveError, type Resolve } from './resolve.ts';

/** Errors of connections that had carried an answer before. */
const afterUse = new WeakSet<Error>();

/** The first to see an error of a connection. */
function judgeError(this: Socket, error: Error & { code?: string }): void {
  if (this.bytesRead > 0) afterUse.add(error);
  // undici takes a reset for the end of an answer that has no length, by this code alone; a reset is how a peer says that it
  // broke off (RFC 9112 §8).
  if (error.code === 'ECONNRESET') error.code = 'ECONNABORTED';
}

/**
 * Whether a connection broke that had carried an answer before: the peer may have closed it while it rested, so that a request written
 * at the same moment was read by nobody (RFC 9112 §9.3.1).
 */
export function brokeAfterUse(error: Error): boolean {
  if (afterUse.has(error)) return true;
  return error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0;
}

/** RFC 6761 §6.3: names that mean this machine. */
const LOCALHOST = /(?:^|\.)localhost\.?$/;

export interface ConnectOptions {
  readonly guard: Guard;
  readonly resolve: Resolve;
  readonly connectTimeoutMs?: number;
  /** PEM certificates to trust instead of the system's. */
  readonly trustedCertificates?: string | readonly string[];
}

/**
 * A connector for one origin. The name is resolved here and nowhere else; the socket is given exactly the addresses
 * that were checked, so a name that changes between check and connect (DNS rebinding) has no moment to do so.
 * One bad address refuses the name: a mixture is what an attack looks like, not what a service looks like.
 * TLS still names and verifies the original host.
 */
export function guardedConnector(destination: Destination, options: ConnectOptions): buildConnector.connector {
  const { guard, resolve } = options;
  const refuse = (reason: string) => egressErrors('egress.refused', { detail: reason });

  const checkedAddresses = async (hostname: string): Promise<{ address: string; family: number }[]> => {
    const addresses = await resolve(hostname).catch((error: unknown) => Promise.reject(asResolveError(error)));
    if (addresses.length === 0) throw refuse('the name has no address');
    const judged = addresses.map((address) => ({ address, reason: guard.refusesAddress(destination, address) }));
    // `localhost` is both families of one machine: whoever opened 127.0.0.0/8 meant it. Only what is open is connected to.
    const usable = LOCALHOST.test(hostname) ? judged.filter(({ reason }) => reason === null) : judged;
    const refused = (usable.length === 0 ? judged : usable).find(({ reason }) => reason !== null);
    if (refused?.reason) throw refuse(refused.reason);
    return usable.map(({ address }) => address).map((address) => ({ address, family: isIP(address) }));
  };

  const lookup: LookupFunction = (hostname, { all, family }, callback) => {
    checkedAddresses(hostname).then(
      (found) => {
        const wanted = family === 4 || family === 6 ? found.filter((each) => each.family === family) : found;
        const [first] = wanted;
        if (!first) return callback(refuse('the name has no address of this family'), '', 0);
        return all ? callback(null, wanted) : callback(null, first.address, first.family);
      },
      (error: Error) => callback(error, '', 0),
    );
  };

  const connect = buildConnector({
    allowH2: false,
    autoSelectFamily: true,
    timeout: options.connectTimeoutMs ?? limits.connectTimeoutMs,
    lookup,
    ...(options.trustedCertificates === undefined ? {} : { ca: [options.trustedCertificates].flat() }),
  } as buildConnector.BuildOptions);

  return (target, callback) => {
    // A socket does not look up what already is an address, so it is checked here.
    if (destination.literal) {
      const reason = guard.refusesAddress(destination, destination.hostname);
      if (reason) return callback(refuse(reason), null);
    }
    connect(target, (error, socket) => {
      if (error) return callback(error, null);
      // The second lock: whatever happened above, nothing is sent to a peer that the rules refuse.
      const peer = socket.remoteAddress;
      const reason = peer === undefined ? null : guard.refusesAddress(destination, peer);
      if (peer !== undefined && !reason) {
        socket.on('error', judgeError);
        return callback(null, socket);
      }
      socket.destroy();
      callback(reason ? refuse(reason) : egressErrors('egress.unreachable', { detail: 'closed while connecting' }), null);
    });
  };
}
