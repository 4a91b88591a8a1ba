import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { callersFor } from './callers.ts';
import { givenOptions, serving } from './serving.ts';

export interface InsertRateOptions {
  readonly url: string;
  readonly seconds: number;
}

const CALLERS = 32;
const CONNECTIONS = 10;

// One token row per transaction by the plain driver; measures whenever it is asked for a line on standard input.
const options = givenOptions<InsertRateOptions>();
const pool = new pg.Pool({ connectionString: options.url, max: CONNECTIONS });
const measure = callersFor(CALLERS, options.seconds);

async function insert(): Promise<void> {
  await pool.query({
    name: 'insert',
    text: `insert into plain_tokens (application_id, token_hash, account_id, scope, depth, parent_api_key_id, created_at, expires_at)
           values ('application', $1, 1, 'files:normal.raw.default:kloudless', 1, 'keyOfTheBenchmark', now(), now() + interval '1 day')`,
    values: [randomBytes(32)],
  });
}

serving({}, () => pool.end());
process.stdin.on('data', () => {
  void measure(insert).then(({ perSecond }) => process.stdout.write(`rate ${perSecond}\n`));
});
