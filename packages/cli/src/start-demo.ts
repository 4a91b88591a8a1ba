import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Log, systemClock } from '@bulkhead/base';
import type { Config } from '@bulkhead/platform';
import type { DemoServices, DemoSite } from '@bulkhead/demo';
import { type Bulkhead, issueTemporaryMetaToken } from '@bulkhead/server';
import { demoFunctions } from './demo-functions.ts';

type Closing = (() => Promise<void>)[];
const HOST = '127.0.0.1';

/** The demo lives on the ports after the API's, where it is found again and what was connected to it goes on working. */
const SITE = 1;
const HARBOUR = 2;
const LANTERN = 3;
const RECEIVER = 4;
const APP = 5;

/** Harbour Files, Lantern Notes, the receiver of webhooks and the place of the App: before the platform, which is told that it may reach them. */
export async function startServicesOfDemo(config: Config, log: Log, closing: Closing): Promise<DemoServices> {
  const { startDemoServices } = await import('@bulkhead/demo');
  const services = await startDemoServices({
    log,
    port: await portFor(config, HARBOUR),
    notesPort: await portFor(config, LANTERN),
    receiverPort: await portFor(config, RECEIVER),
    appPort: await portFor(config, APP),
  });
  closing.push(() => services.close());
  return services;
}

export interface SiteParts {
  readonly config: Config;
  readonly log: Log;
  readonly bulkhead: Bulkhead;
  readonly services: DemoServices;
}

/** The page, and with it the App. It holds a Meta token of its own, which ends with it. */
export async function startSiteOfDemo({ config, log, bulkhead, services }: SiteParts, closing: Closing): Promise<DemoSite> {
  const { startDemoSite } = await import('@bulkhead/demo');
  const token = await issueTemporaryMetaToken(bulkhead.db, systemClock, 'Demo page (revoked when its server stops)');
  closing.push(() => token.revoke());
  const site = await startDemoSite({
    bulkheadUrl: bulkhead.publicUrl,
    metaToken: token.secret.reveal(),
    upstream: services.upstream,
    receiver: services.receiver,
    app: services.app,
    functions: demoFunctions,
    log,
    port: await portFor(config, SITE),
  });
  closing.push(() => site.close());
  return site;
}

/** The port `offset` after the API's if nobody has it, else 0 (any free one). */
async function portFor({ port }: Config, offset: number): Promise<number> {
  const wanted = port + offset;
  if (port === 0 || wanted > 65_535) return 0;
  const probe = createServer();
  try {
    probe.listen(wanted, HOST);
    await once(probe, 'listening');
    return wanted;
  } catch {
    return 0;
  } finally {
    if (probe.listening) {
      probe.close();
      await once(probe, 'close');
    }
  }
}
