import { Secret, sha256, silentLog, systemClock } from '@bulkhead/base';
import { listMetaTokens, prepareFirstOrganization } from '@bulkhead/platform';
import { sql } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase } from '@bulkhead/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeInReverse } from './closing.ts';
import { issueFirstMetaToken } from './first-meta-token.ts';
import { pinoLog } from './pino-log.ts';
import { issueTemporaryMetaToken } from './temporary-meta-token.ts';

let database: TestDatabase;
let organizationId: string;
beforeEach(async () => {
  database = await testDatabase();
  organizationId = await prepareFirstOrganization(database.database, null, new Date());
});
afterEach(() => database.close());
const tokens = () => database.database.withControl('test', (tx) => listMetaTokens(tx, organizationId));
const audited = () =>
  database.database.withControl('test', (tx) =>
    tx.query<{ action: string; target: string }>(sql`select action, target from organization_audit_entries order by at, action`),
  );

describe('the first Meta token', () => {
  it('is issued once, even by eight processes that start at the same moment', async () => {
    const issued = await Promise.all(Array.from({ length: 8 }, () => issueFirstMetaToken(database.database, systemClock)));
    expect(issued.filter((secret) => secret !== null)).toHaveLength(1);
    expect(await tokens()).toHaveLength(1);
  });

  it('is kept as its hash, and its issue is in the audit log', async () => {
    const secret = await issueFirstMetaToken(database.database, systemClock);
    const rows = await database.database.withControl('test', (tx) =>
      tx.query<{ token_hash: Buffer; line: string }>(sql`select token_hash, meta_tokens::text as line from meta_tokens`),
    );
    expect(rows[0]?.token_hash.equals(sha256(secret?.reveal() ?? ''))).toBe(true);
    expect(rows[0]?.line).not.toContain(secret?.reveal());
    expect(await audited()).toEqual([{ action: 'meta_token.issued', target: (await tokens())[0]?.metaTokenId }]);
  });
});

describe('a Meta token that the operator chose', () => {
  it('is in the audit log once, however often the server starts', async () => {
    const chosen = new Secret('chosen-by-the-operator-0123456789abcdef');
    for (let start = 0; start < 3; start++) await prepareFirstOrganization(database.database, chosen, new Date());
    expect(await audited()).toEqual([{ action: 'meta_token.issued', target: (await tokens())[0]?.metaTokenId }]);
    expect(await tokens()).toHaveLength(1);
  });
});

describe('a temporary Meta token', () => {
  it('ends when told, and one left behind by a kill ends with the next; others stay', async () => {
    await issueFirstMetaToken(database.database, systemClock);
    await issueTemporaryMetaToken(database.database, systemClock, 'Part');
    const next = await issueTemporaryMetaToken(database.database, systemClock, 'Part');
    expect((await tokens()).map(({ name }) => name)).toEqual(['First start', 'Part']);
    await next.revoke();
    await next.revoke();
    expect((await tokens()).map(({ name }) => name)).toEqual(['First start']);
    expect((await audited()).map(({ action }) => action).filter((action) => action === 'meta_token.revoked')).toHaveLength(1);
  });
});

describe('closing', () => {
  it('goes from last to first and past one that fails', async () => {
    const closed: string[] = [];
    const close = (name: string) => async () => void closed.push(name);
    const failing = async () => {
      throw new Error('stuck');
    };
    await expect(closeInReverse([close('database'), failing, close('server')])).rejects.toThrow('Not everything could be closed.');
    expect(closed).toEqual(['server', 'database']);
    await expect(closeInReverse([close('again')])).resolves.toBe(undefined);
  });
});

describe('the log', () => {
  it('has the faces of a Log at every level', () => {
    const log = pinoLog('silent');
    for (const level of ['debug', 'info', 'warn', 'error'] as const) expect(log[level]('a constant', { fact: 1 })).toBe(undefined);
    expect(Object.keys(log.child({ subsystem: 'x' })).toSorted()).toEqual(Object.keys(silentLog).toSorted());
  });
});
