import { type ApplicationId, type Clock, type Log, PlatformError } from '@bulkhead/base';
import { parseAllowList } from './allow-list.ts';
import { customFetch, type CustomFetchOptions } from './custom-fetch.ts';
import { type Destination, type EgressPolicy, parseDestination } from './destination.ts';
import { asEgressError, egressErrors } from './egress-errors.ts';
import { checkedMethod, type EgressRequest, type EgressResponse, guardedFetch } from './fetch.ts';
import { createGuard, type ListenerAddress } from './guard.ts';
import { limits } from './limits.ts';
import { Pools } from './pools.ts';
import { type Resolve, systemResolve } from './resolve.ts';
import { type StreamOutcome, type StreamRequest, type StreamSink, streamThrough } from './stream.ts';

export interface EgressOptions {
  /** What the operator opens although it is private: CIDRs, addresses, `host:port`. */
  readonly allow: readonly string[];
  /** Where this server listens (and what else must never be called: its database, say). Never reachable, whatever is allowed. */
  readonly ownListeners: () => readonly ListenerAddress[];
  readonly log: Log;
  readonly clock: Clock;
  readonly resolve?: Resolve;
  /** Every address of this machine; for tests. */
  readonly localAddresses?: () => readonly string[];
  /** PEM certificates to trust instead of the system's: a private authority. */
  readonly trustedCertificates?: string | readonly string[];
  readonly connectTimeoutMs?: number;
  readonly connectionsPerPoolMax?: number;
  readonly poolsMax?: number;
}

/** The only door to the network. Every failure is a PlatformError `egress.*` that tells the caller nothing of the network. */
export interface Egress {
  /** One call, one whole answer in memory, within `maxBytes` and `timeoutMs`. */
  fetch(url: string | URL, request: EgressRequest): Promise<EgressResponse>;
  /** The same as a WHATWG `fetch`, for libraries. */
  customFetch(options: CustomFetchOptions): typeof globalThis.fetch;
  /** One call whose answer flows into `sink` as it comes; see `pipeTo`. */
  stream(request: StreamRequest, sink: StreamSink): Promise<StreamOutcome>;
  /**
   * Whether a URL may be registered: its form, and its address where it is one. Names are judged when called, as they
   * may change. Returns the URL as it will be called.
   * @throws PlatformError `egress.url_invalid` (naming `field`) or `egress.refused`.
   */
  checkUrl(url: string, policy: EgressPolicy, field?: string): URL;
  /** Breaks what is under way and closes every connection. */
  close(): Promise<void>;
}

export function createEgress(options: EgressOptions): Egress {
  const { log, clock, ownListeners, localAddresses } = options;
  const guard = createGuard({
    allow: parseAllowList(options.allow),
    ownListeners,
    ...(localAddresses === undefined ? {} : { localAddresses }),
  });
  const pools = new Pools({ ...options, guard, resolve: options.resolve ?? systemResolve });

  const admit = (url: string | URL, policy: EgressPolicy, field?: string): Destination => {
    const destination = parseDestination(url, field);
    const reason = guard.refusesForm(destination, policy);
    if (reason) throw egressErrors('egress.refused', { detail: reason, ...(field === undefined ? {} : { field }) });
    return destination;
  };

  // A pass-through calls the same few base URLs again and again. What is kept is that the form was good; the address is
  // checked at every connect, and with it our own listeners, should they change.
  const admittedBefore = new Map<string, Destination>();
  const admitBase = (url: string | URL, policy: EgressPolicy): Destination => {
    const key = `${policy} ${String(url)}`;
    const known = admittedBefore.get(key);
    if (known) return known;
    const destination = admit(url, policy);
    if (admittedBefore.size >= limits.poolsMax) admittedBefore.clear();
    admittedBefore.set(key, destination);
    return destination;
  };

  /** Runs a call and logs its failure; the host is logged, path and query may hold secrets and are not. */
  const logged = async <Result>(
    url: string | URL,
    call: { policy: EgressPolicy; tenant: ApplicationId | null; signal?: AbortSignal },
    run: () => Promise<Result>,
  ): Promise<Result> => {
    const startedAt = clock.now();
    try {
      return await run();
    } catch (thrown) {
      if (call.signal?.aborted && !(thrown instanceof PlatformError)) throw thrown;
      const error = asEgressError(thrown);
      const fields = {
        policy: call.policy,
        tenant: call.tenant,
        host: hostOf(url),
        code: error.code,
        reason: error.detail,
        elapsedMs: clock.now() - startedAt,
      };
      if (error.code === 'egress.refused') log.warn('outbound call refused', fields);
      else log.info('outbound call failed', fields);
      throw error;
    }
  };

  const call: Egress['fetch'] = (url, request) =>
    logged(url, request, () => guardedFetch((next, { policy }) => admit(next, policy), pools, url, request));

  return {
    fetch: call,
    customFetch: (fetchOptions) => customFetch(call, () => egressErrors('egress.unreachable', { detail: 'redirect' }), fetchOptions),
    stream: (request, sink) =>
      logged(request.url, request, async () => {
        checkedMethod(request.method);
        const destination = request.target === undefined ? admit(request.url, request.policy) : admitBase(request.url, request.policy);
        const outcome = await streamThrough(
          pools.get(request.tenant, destination),
          checkedTarget(request.target ?? destination.target),
          request,
          sink,
        );
        if (outcome.ended === 'truncated') {
          log.warn('outbound answer truncated', {
            policy: request.policy,
            tenant: request.tenant,
            host: destination.hostname,
            reason: outcome.error?.detail,
            receivedBytes: outcome.receivedBytes,
          });
        }
        return outcome;
      }),
    checkUrl: (url, policy, field) => new URL(admit(url, policy, field).url),
    close: () => pools.close(),
  };
}

/** A target in origin form (RFC 9112 §3.2.1): visible ASCII from the first slash on, without a fragment. */
function checkedTarget(target: string): string {
  if (/^\/[!"$-~]*$/.test(target)) return target;
  throw egressErrors('egress.url_invalid', { params: { reason: 'its path is malformed' } });
}

function hostOf(url: string | URL): string {
  const parsed = typeof url === 'string' ? URL.parse(url) : url;
  return parsed?.host ?? 'malformed';
}
