import { figure, medians } from '../alternate.ts';
import { Child } from '../machine/child.ts';
import type { Row } from '../row.ts';
import type { RlsReadAnswer, RlsReadOptions } from '../servers/rls-read.ts';
import { applicationIdList, filler, insertAccounts, insertApplications } from '../stack/fill.ts';

const APPLICATIONS = 100;
const ACCOUNTS_EACH = 1000;

export const rls: Row = {
  id: 'rls',
  what: 'point read in a tenant scope under row-level security, 32 callers: time per read',
  yardstick: 'the same read in a pipelined transaction, no scope, no policy',
  unit: 'ratio',
  reach: { atMost: 1.1 },
  needs: ['taskset'],
  async measure(lab) {
    await using urls = await (await lab.cluster()).database('rls');
    const applicationIds = applicationIdList(APPLICATIONS);
    {
      await using client = await filler(urls);
      await insertApplications(client, 'organization', applicationIds);
      await insertAccounts(client, applicationIds, ACCOUNTS_EACH);
      await client.query(
        'create table plain_accounts (like accounts including indexes); insert into plain_accounts select * from accounts',
      );
      await client.query('grant select on plain_accounts to bulkhead_app; analyze');
    }
    const given: RlsReadOptions = { ...urls, applicationIds, accountsEach: ACCOUNTS_EACH, rounds: lab.rounds, seconds: lab.seconds };
    await using child = await Child.program('server', 'rls-read', given);
    const { cpuOurs, cpuYardstick, ...measured } = child.ready as RlsReadAnswer;
    const cpu = `${figure(cpuOurs)} against ${figure(cpuYardstick)} µs of processor time in the client`;
    return { ...measured, note: `${medians(measured.samples, 'µs per read')}, ${cpu}; 100,000 rows, 10 connections.` };
  },
};
