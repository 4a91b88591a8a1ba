import { silentLog } from '@bulkhead/base';
import { connect } from '../connection.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';

/**
 * For tests, run as a process of its own: serves the folder in the first argument, says so with one line of JSON, then
 * writes rows and prints the number of each that was acknowledged, until it is killed. With `serve` it only serves.
 */
const [dataDir = '', mode = 'write'] = process.argv.slice(2);
const postgres = await startEmbeddedPostgres({ dataDir, log: silentLog });
const client = await connect(postgres.ownerUrl, 'child');
await client.query('create table if not exists acknowledged (number int primary key)');
process.stdout.write(`${JSON.stringify({ pid: postgres.pid })}\n`);
for (let number = 1; mode === 'write'; number += 1) {
  await client.query('insert into acknowledged values ($1)', [number]);
  process.stdout.write(`${number}\n`);
}
setInterval(() => undefined, 60_000);
