import { Secret, systemClock } from '@bulkhead/base';
import { claimKeys, createPlatform, EnvironmentKeys, prepareFirstOrganization, type RateLimits } from '@bulkhead/platform';
import { openDatabase } from '@bulkhead/postgres';
import { pinoLog } from '@bulkhead/server';
import { givenOptions, serving } from './serving.ts';

export interface BulkheadOptions {
  readonly appUrl: string;
  readonly controlUrl: string;
  readonly systemUrl: string;
  readonly metaToken: string;
  readonly rootKey: string;
  /** Whether what was read is remembered (`Database.recall`). Default: as in service, yes. */
  readonly recalls?: boolean;
  readonly egressAllow: readonly string[];
  /** Other rates than what nobody reaches. */
  readonly rateLimits?: Partial<RateLimits>;
}

// Counted like everywhere, and never refused: one Application stands for all that a process can serve.
const MORE_THAN_CAN_COME: RateLimits = { api: 1_000_000, passthrough: 1_000_000, oauth: 1_000_000, meta: 1_000_000, webtrigger: 1_000_000 };

// The parts of `startBulkhead` in their order, on a database that runs elsewhere: on the other core.
const options = givenOptions<BulkheadOptions>();
const log = pinoLog('info');
const db = openDatabase({
  appUrl: new Secret(options.appUrl),
  controlUrl: new Secret(options.controlUrl),
  systemUrl: new Secret(options.systemUrl),
  log,
  ...(options.recalls === undefined ? {} : { recalls: options.recalls }),
});
const keys = new EnvironmentKeys([Buffer.from(options.rootKey, 'base64')]);
if ((await claimKeys(db, keys, new Date())) !== null) throw new Error('another root key');
const platform = await createPlatform({
  db,
  keys,
  clock: systemClock,
  log,
  host: '127.0.0.1',
  publicUrl: null,
  egressAllow: options.egressAllow,
  trustProxy: [],
  rateLimits: { ...MORE_THAN_CAN_COME, ...options.rateLimits },
});
await prepareFirstOrganization(db, new Secret(options.metaToken), new Date());
platform.startUses();
await platform.startWorker();
serving({ url: await platform.listen(0) }, async () => {
  await platform.close();
  await db.close();
});
