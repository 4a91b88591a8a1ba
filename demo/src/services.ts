import type { Log } from '@bulkhead/base';
import { type DemoUpstream, startDemoUpstream } from './upstream/index.ts';

export interface DemoServices {
  readonly upstream: DemoUpstream;
  /** `host:port` of the demo's own services: outbound calls must be allowed to reach them, although they are on this machine. */
  readonly egressAllow: readonly string[];
  close(): Promise<void>;
}

export interface DemoServicesOptions {
  readonly log: Log;
  /** Of Harbour Files; 0 or absent: any free one. */
  readonly port?: number;
  /** Of Lantern Notes; 0 or absent: any free one. */
  readonly notesPort?: number;
}

/** Starts what the demo connects to: Harbour Files and Lantern Notes, on 127.0.0.1. Before the platform, which must be told their addresses. */
export async function startDemoServices({ log, port = 0, notesPort = 0 }: DemoServicesOptions): Promise<DemoServices> {
  const upstream = await startDemoUpstream({ port, notesPort });
  log.debug('demo services started', { harbour: upstream.issuer, lantern: upstream.notesBaseUrl });
  return { upstream, egressAllow: upstream.addresses, close: () => upstream.close() };
}
