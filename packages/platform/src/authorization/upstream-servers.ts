import type { ApplicationId, Clock } from '@bulkhead/base';
import { endpointsFingerprint, resolveServer, type UpstreamCall, type UpstreamServer, type UpstreamService } from '../services/index.ts';

const KEPT_MS = 5 * 60_000;
const ENTRIES_MAX = 1000;

interface Entry {
  readonly server: Promise<UpstreamServer>;
  readonly until: number;
}

/**
 * The authorization servers of services, discovered once in five minutes per Application and definition: beginning a flow needs no
 * credential, and must not let anybody make us call a service as often as they like. Failures are not kept.
 */
export class UpstreamServers {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws upstream.* as `resolveServer` does */
  async find(applicationId: ApplicationId, service: UpstreamService, call: UpstreamCall): Promise<UpstreamServer> {
    const name = `${applicationId}|${service.definition.id}|${endpointsFingerprint(service.definition)}`;
    const known = this.#entries.get(name);
    if (known !== undefined && known.until > this.#clock.now()) return known.server;
    const server = resolveServer(service, call);
    this.#entries.delete(name);
    this.#entries.set(name, { server, until: this.#clock.now() + KEPT_MS });
    if (this.#entries.size > ENTRIES_MAX) this.#entries.delete(this.#entries.keys().next().value!);
    try {
      return await server;
    } catch (thrown) {
      if (this.#entries.get(name)?.server === server) this.#entries.delete(name);
      throw thrown;
    }
  }
}
