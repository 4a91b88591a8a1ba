import type { Log } from '@bulkhead/base';
import { type Receiver, startReceiver } from './receiver/index.ts';
import { type DemoUpstream, startDemoUpstream } from './upstream/index.ts';

export interface DemoServices {
  readonly upstream: DemoUpstream;
  /** The company's server for webhooks. */
  readonly receiver: Receiver;
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
  /** Of the receiver of webhooks; 0 or absent: any free one. */
  readonly receiverPort?: number;
}

/**
 * Starts what Bulkhead calls in the demo, on 127.0.0.1: Harbour Files, Lantern Notes and the company's receiver of webhooks. Before the
 * platform, which must be told their addresses.
 */
export async function startDemoServices({ log, port = 0, notesPort = 0, receiverPort = 0 }: DemoServicesOptions): Promise<DemoServices> {
  const upstream = await startDemoUpstream({ port, notesPort });
  const receiver = await startReceiver({ log, port: receiverPort });
  log.debug('demo services started', { harbour: upstream.issuer, lantern: upstream.notesBaseUrl, receiver: receiver.url });
  return {
    upstream,
    receiver,
    egressAllow: [...upstream.addresses, receiver.address],
    close: async () => void (await Promise.all([upstream.close(), receiver.close()])),
  };
}
