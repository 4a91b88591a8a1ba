import type { Log } from '@bulkhead/base';
import { type DemoApp, startDemoApp } from './app/index.ts';
import { type Receiver, startReceiver } from './receiver/index.ts';
import { type DemoUpstream, startDemoUpstream } from './upstream/index.ts';

export interface DemoServices {
  readonly upstream: DemoUpstream;
  /** The company's server for webhooks. */
  readonly receiver: Receiver;
  /** The App that is installed into both customers. */
  readonly app: DemoApp;
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
  /** Of the App; 0 or absent: any free one. */
  readonly appPort?: number;
}

/**
 * Starts what Bulkhead calls in the demo, on 127.0.0.1: Harbour Files, Lantern Notes, the company's receiver of webhooks and the place
 * of an App. Before the platform, which must be told their addresses.
 */
export async function startDemoServices(options: DemoServicesOptions): Promise<DemoServices> {
  const { log, port = 0, notesPort = 0, receiverPort = 0, appPort = 0 } = options;
  const upstream = await startDemoUpstream({ port, notesPort });
  const receiver = await startReceiver({ log, port: receiverPort });
  const app = await startDemoApp({ log, port: appPort });
  const { issuer: harbour, notesBaseUrl: lantern } = upstream;
  log.debug('demo services started', { harbour, lantern, receiver: receiver.url, app: app.url });
  return {
    upstream,
    receiver,
    app,
    egressAllow: [...upstream.addresses, receiver.address, app.address],
    close: async () => void (await Promise.all([upstream.close(), receiver.close(), app.close()])),
  };
}
