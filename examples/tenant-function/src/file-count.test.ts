import type { Account } from '@bulkhead/functions-kit';
import { openTestHost, type TestHost } from '@bulkhead/functions-kit/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { connected, counted } from './file-count.ts';

// The functions against a host in memory. Through a real Bulkhead: tests/functions/tenant-function.test.ts.
const account = (id: number, service: string): Account => ({
  id,
  service,
  account: null,
  end_user: null,
  active: true,
  health: 'ok',
});
const asked: string[] = [];
let host: TestHost;

function open(): void {
  asked.length = 0;
  host = openTestHost({
    accounts: [account(1, 'harbour'), account(2, 'harbour'), account(3, 'lantern')],
    callAccount: (id, request) => {
      asked.push(`${id} ${new URL(request.url).pathname}`);
      return id === 3 ? new Response('no such thing', { status: 404 }) : Response.json({ files: Array.from({ length: id * 10 }) });
    },
  });
}
afterEach(() => host.close());

describe('the count of files', () => {
  test('of an account is taken when it is connected, and kept', async () => {
    open();
    expect(await connected({ accountId: 1 })).toBe(10);
    expect(await connected({ accountId: null })).toBeNull();
    expect(asked).toEqual(['1 /files']);
  });

  test('is answered for all accounts; what is kept is not asked for again', async () => {
    open();
    await connected({ accountId: 1 });
    const answer = await counted();
    expect([answer.statusCode, JSON.parse(answer.body)]).toEqual([200, { accounts: 3, files: 30, accounts_without_files: 1 }]);
    expect(asked).toEqual(['1 /files', '2 /files', '3 /files']);
  });
});
