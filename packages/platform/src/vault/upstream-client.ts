import type { ApplicationId, Clock } from '@bulkhead/base';
import type { Egress } from '@bulkhead/http';
import type { Tx } from '@bulkhead/postgres';
import {
  endpointsFingerprint,
  resolveServer,
  type UpstreamCall,
  type UpstreamClient,
  type UpstreamExchange,
  type UpstreamServer,
  type UpstreamService,
} from '../services/index.ts';

/** A service with the OAuth key an Application has for it. */
export interface ResolvedService {
  readonly definition: UpstreamService;
  readonly client: UpstreamClient;
}

/** Finds service and OAuth key; null where either is gone. Handed in: the vault knows no Applications. */
export type ResolveService = (tx: Tx, applicationId: ApplicationId, service: string) => Promise<ResolvedService | null>;

/** Longer than any provider takes, shorter than the lease: an answer after that would find another worker at it. */
export const CALL_TIMEOUT_MS = 15_000;
const ANSWER_BYTES_MAX = 1024 * 1024;
const SERVER_KEPT_MS = 10 * 60_000;
const SERVERS_MAX = 1_000;

/** Makes the calls to an authorization server on behalf of one tenant, and remembers where its endpoints are for ten minutes. */
export class UpstreamCalls {
  readonly #egress: Pick<Egress, 'customFetch'>;
  readonly #clock: Clock;
  readonly #servers = new Map<string, { readonly server: UpstreamServer; readonly until: number }>();

  constructor(options: { egress: Pick<Egress, 'customFetch'>; clock: Clock }) {
    this.#egress = options.egress;
    this.#clock = options.clock;
  }

  /** What a refresh or a revocation needs. May ask the issuer for its metadata; throws `upstream.*`. */
  async exchange(applicationId: ApplicationId, { definition, client }: ResolvedService, signal?: AbortSignal): Promise<UpstreamExchange> {
    const fetch = this.#egress.customFetch({
      policy: 'upstream',
      tenant: applicationId,
      maxBytes: ANSWER_BYTES_MAX,
      timeoutMs: CALL_TIMEOUT_MS,
    });
    const call: UpstreamCall = {
      fetch: (input, init) => fetch(input, init),
      timeoutMs: CALL_TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    };
    return { service: definition, server: await this.#server(applicationId, definition, call), client, call, clock: this.#clock };
  }

  async #server(applicationId: ApplicationId, service: UpstreamService, call: UpstreamCall): Promise<UpstreamServer> {
    const name = `${applicationId}|${service.definition.id}|${endpointsFingerprint(service.definition)}`;
    const known = this.#servers.get(name);
    if (known !== undefined && known.until > this.#clock.now()) return known.server;
    const server = await resolveServer(service, call);
    if (this.#servers.size >= SERVERS_MAX) this.#servers.delete(this.#servers.keys().next().value!);
    this.#servers.set(name, { server, until: this.#clock.now() + SERVER_KEPT_MS });
    return server;
  }
}
