import { join } from 'node:path';
import { Secret, silentLog, systemClock } from '@bulkhead/base';
import { ApplicationKeyFolder, FileKeys, rotateDataKeys, rotateRootKey, Vault } from '@bulkhead/platform';
import { openDatabase } from '@bulkhead/postgres';

/** What `kill.test.ts` gives to this process, as JSON in its first argument. */
export interface RotateChild {
  readonly urls: { readonly appUrl: string; readonly controlUrl: string; readonly systemUrl: string };
  readonly folder: string;
  readonly what: 'root' | 'data';
  /** Where to stand still and wait to be killed: the step, and which time it is reached. Null: go through to the end. */
  readonly standAt: readonly [step: string, time: number] | null;
}

const { urls, folder, what, standAt } = JSON.parse(process.argv[2]!) as RotateChild;
const db = openDatabase({
  appUrl: new Secret(urls.appUrl),
  controlUrl: new Secret(urls.controlUrl),
  systemUrl: new Secret(urls.systemUrl),
  log: silentLog,
  poolSize: 2,
});
const keys = await FileKeys.open({ dataDir: folder, mayCreate: false, applicationKeys: new ApplicationKeyFolder(join(folder, 'keys')) });
const times = new Map<string, number>();

async function report(step: string): Promise<void> {
  const time = (times.get(step) ?? 0) + 1;
  times.set(step, time);
  if (standAt?.[0] !== step || standAt[1] !== time) return;
  process.stdout.write(`standing at ${step}\n`);
  const standing = setInterval(() => undefined, 1_000);
  await new Promise(() => standing.ref());
}

// The one step that leaves a trace on the disk before the database hears of anything.
const nextRootKey = keys.nextRootKey.bind(keys);
keys.nextRootKey = async (current) => {
  const id = await nextRootKey(current);
  await report('made');
  return id;
};
const vault = new Vault({ keys, clock: systemClock });
const result =
  what === 'root' ? await rotateRootKey({ db, vault }, { batch: 2, report }) : await rotateDataKeys({ db, vault }, { batch: 2, report });
process.stdout.write(`done ${JSON.stringify(result)}\n`);
await db.close();
