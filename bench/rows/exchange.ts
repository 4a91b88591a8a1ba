import { createInterface } from 'node:readline';
import { alternate, medians } from '../alternate.ts';
import { Child } from '../machine/child.ts';
import { warmUp } from '../machine/wrk.ts';
import type { Row } from '../row.ts';
import type { InsertRateOptions } from '../servers/insert-rate.ts';
import { startBulkhead } from '../stack/bulkhead.ts';
import { filler } from '../stack/fill.ts';
import { createTenants, exchangeRequests } from '../stack/tenants.ts';

const APPLICATIONS = 20;

export const exchange: Row = {
  id: 'exchange',
  what: 'token exchange over HTTP (client, subject, account, token and audit entry), 32 callers: exchanges per second',
  yardstick: 'one insert per transaction by the plain driver, same database',
  unit: 'ratio',
  reach: { atLeast: 0.5 },
  needs: ['wrk', 'taskset'],
  async measure(lab) {
    await using urls = await (await lab.cluster()).database('exchange');
    {
      await using client = await filler(urls);
      await client.query('create table plain_tokens (like access_tokens including indexes)');
    }
    await using server = await startBulkhead(urls);
    const tenants = await createTenants(server, { applications: APPLICATIONS, tokens: 1, upstreamUrl: 'https://files.example' });
    const run = await lab.wrk.prepare({
      url: server.url,
      callers: 32,
      seconds: lab.seconds,
      requests: exchangeRequests(tenants),
    });
    const given: InsertRateOptions = { url: urls.adminUrl, seconds: lab.seconds };
    await using inserting = await Child.program('server', 'insert-rate', given);
    const lines = createInterface({ input: inserting.process.stdout! })[Symbol.asyncIterator]();
    const insertsPerSecond = async (): Promise<number> => {
      inserting.process.stdin!.write('go\n');
      return Number(/^rate (.+)$/.exec((await lines.next()).value ?? '')?.[1]);
    };
    let failures = 0;
    const exchangesPerSecond = async (): Promise<number> => {
      const result = await run();
      failures += result.failures;
      return result.perSecond;
    };
    await warmUp(run, 5_000);
    await insertsPerSecond();
    const measured = await alternate({
      rounds: lab.rounds,
      ours: exchangesPerSecond,
      yardstick: insertsPerSecond,
      compare: (ours, yardstick) => ours / yardstick,
    });
    return { ...measured, note: `${medians(measured.samples, 'per second')}, durable commits, ${failures} failed.`, sound: failures === 0 };
  },
};
