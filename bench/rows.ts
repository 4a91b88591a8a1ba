import type { Row } from './row.ts';
import { appTenant } from './rows/app-tenant.ts';
import { appVerify } from './rows/app-verify.ts';
import { arrive } from './rows/arrive.ts';
import { clone100k } from './rows/clone-100k.ts';
import { clone } from './rows/clone.ts';
import { drain } from './rows/drain.ts';
import { exchange } from './rows/exchange.ts';
import { functionHello, functionKept } from './rows/function-calls.ts';
import { functionOrphans } from './rows/function-orphans.ts';
import { functionBomb, functionRunaway, functionRunaways } from './rows/function-runaways.ts';
import { functionCold, functionMemory, functionWarm } from './rows/functions-beside-engine.ts';
import { incident } from './rows/incident.ts';
import { lookup10m } from './rows/lookup-10m.ts';
import { me1 } from './rows/me-1.ts';
import { me32 } from './rows/me-32.ts';
import { overload, overloadWrites } from './rows/overload.ts';
import { proxy1 } from './rows/proxy-1.ts';
import { proxy32 } from './rows/proxy-32.ts';
import { quiet } from './rows/quiet.ts';
import { refresh100 } from './rows/refresh-100.ts';
import { rls } from './rows/rls.ts';
import { start } from './rows/start.ts';
import { streamRss } from './rows/stream-rss.ts';

/** Every row, in the order in which they run. */
export const rows: readonly Row[] = [
  me32,
  me1,
  proxy32,
  proxy1,
  streamRss,
  rls,
  clone,
  clone100k,
  exchange,
  lookup10m,
  refresh100,
  overload,
  overloadWrites,
  quiet,
  drain,
  arrive,
  incident,
  appVerify,
  appTenant,
  functionCold,
  functionWarm,
  functionMemory,
  functionHello,
  functionKept,
  functionRunaway,
  functionRunaways,
  functionBomb,
  functionOrphans,
  start,
];
