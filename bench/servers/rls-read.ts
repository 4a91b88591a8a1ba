import { type ApplicationId, Secret, silentLog } from '@bulkhead/base';
import { openDatabase, sql } from '@bulkhead/postgres';
import pg from 'pg';
import { alternate, median } from '../alternate.ts';
import type { Measured } from '../row.ts';
import { callersFor } from './callers.ts';
import { givenOptions, serving } from './serving.ts';

export interface RlsReadOptions {
  readonly appUrl: string;
  readonly controlUrl: string;
  readonly systemUrl: string;
  readonly applicationIds: readonly ApplicationId[];
  readonly accountsEach: number;
  readonly rounds: number;
  readonly seconds: number;
}

export interface RlsReadAnswer extends Omit<Measured, 'note'> {
  /** Processor time of this process per read, in µs. */
  readonly cpuOurs: number;
  readonly cpuYardstick: number;
}

const CALLERS = 32;
const CONNECTIONS = 10;

// The same point read: through the door, and in a transaction that sets no scope, of a table that has no policy. The
// yardstick is as quick as the driver lets it be: begin, select and commit leave together.
const options = givenOptions<RlsReadOptions>();
const log = silentLog;
const db = openDatabase({
  appUrl: new Secret(options.appUrl),
  controlUrl: new Secret(options.controlUrl),
  systemUrl: new Secret(options.systemUrl),
  poolSize: CONNECTIONS,
  log,
});
const pool = new pg.Pool({ connectionString: options.appUrl, max: CONNECTIONS, pipeline: true } as pg.PoolConfig);

let turn = 0;
const next = (): { applicationId: ApplicationId; accountId: number } => {
  turn += 1;
  return { applicationId: options.applicationIds[turn % options.applicationIds.length]!, accountId: 1 + (turn % options.accountsEach) };
};

async function scoped(): Promise<void> {
  const { applicationId, accountId } = next();
  const rows = await db.tenantQuery(
    applicationId,
    sql`select account, service, active, health from accounts where application_id = ${applicationId} and account_id = ${accountId}`,
  );
  if (rows.length !== 1) throw new Error('the account was not found');
}

async function plain(): Promise<void> {
  const { applicationId, accountId } = next();
  const client = await pool.connect();
  const [, read] = await Promise.all([
    client.query('begin'),
    client.query({
      name: 'plain',
      text: 'select account, service, active, health from plain_accounts where application_id = $1 and account_id = $2',
      values: [applicationId, accountId],
    }),
    client.query('commit'),
  ]);
  client.release();
  if (read.rows.length !== 1) throw new Error('the account was not found');
}

const measure = callersFor(CALLERS, options.seconds);
const cpu = { scoped: [] as number[], plain: [] as number[] };
async function microseconds(act: () => Promise<void>, costs: number[]): Promise<number> {
  const { perSecond, cpuPerAct } = await measure(act);
  costs.push(cpuPerAct);
  return 1e6 / perSecond;
}
for (let warm = 0; warm < 2; warm += 1) {
  await measure(scoped);
  await measure(plain);
}
const measured = await alternate({
  rounds: options.rounds,
  ours: () => microseconds(scoped, cpu.scoped),
  yardstick: () => microseconds(plain, cpu.plain),
  compare: (ours, yardstick) => ours / yardstick,
});
const answer: RlsReadAnswer = { ...measured, cpuOurs: median(cpu.scoped), cpuYardstick: median(cpu.plain) };
serving(answer, async () => {
  await db.close();
  await pool.end();
});
