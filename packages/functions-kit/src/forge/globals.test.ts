import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLACE } from '../host.ts';
import { openTestHost, type TestHost } from '../testing/test-host.ts';
import './globals.ts';

type ForgeFetch = (target: object, path: string, init: { method: string; body: string }) => Promise<Response>;
const around = globalThis as unknown as { __forge_runtime__: Record<string, unknown>; __forge_fetch__: ForgeFetch };
const kvs = async (operation: string, body: unknown) => {
  const answer = await around.__forge_fetch__({ type: 'kvs', provider: 'app', remote: 'kvs' }, `/api/v1/${operation}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  return [answer.status, text === '' ? null : (JSON.parse(text) as unknown)];
};

let host: TestHost;
beforeEach(() => {
  const entities = [{ name: 'note', attributes: { text: { type: 'string' as const } }, indexes: ['text'] }];
  host = openTestHost({ storage: { entities }, now: 1_800_000_000_000 });
});
afterEach(() => host.close());

describe('what a bundle with Forge inside finds around it', () => {
  it('is told of its call, and nothing that it could keep from one call to the next', () => {
    const { appContext, contextAri, kvs: kept } = around.__forge_runtime__;
    expect(appContext).toMatchObject({ installationId: host.context.clientKey, environmentType: 'DEVELOPMENT' });
    expect([contextAri, kept]).toEqual([`ari:cloud:bulkhead::site/${host.context.applicationId}`, undefined]);
    expect(JSON.stringify(around.__forge_runtime__)).not.toMatch(/bh[a-z]_/);
  });

  it('finds no call while a module loads', () => {
    host.close();
    (globalThis as Record<symbol, unknown>)[PLACE] = { context: () => null };
    expect(around.__forge_runtime__).toBeUndefined();
    delete (globalThis as Record<symbol, unknown>)[PLACE];
  });

  it('keeps values', async () => {
    expect(await kvs('get', { key: 'a' })).toEqual([404, { code: 'KEY_NOT_FOUND', message: expect.any(String) }]);
    expect(await kvs('set', { key: 'a', value: 1 })).toEqual([204, null]);
    expect(await kvs('get', { key: 'a' })).toEqual([
      200,
      { key: 'a', value: 1, createdAt: 1_800_000_000_000, updatedAt: 1_800_000_000_000 },
    ]);
    expect(await kvs('set', { key: 'a', value: 2, options: { keyPolicy: 'FAIL_IF_EXISTS' } })).toMatchObject([
      409,
      { code: 'KEY_CONFLICT' },
    ]);
    expect(await kvs('query', { limit: 1, where: [{ property: 'key', condition: 'BEGINS_WITH', values: ['a'] }] })).toEqual([
      200,
      { data: [{ key: 'a', value: 1 }] },
    ]);
    expect(await kvs('delete', { key: 'a' })).toEqual([204, null]);
    await kvs('secret/set', { key: 's', value: 'x' });
    expect(await kvs('secret/get', { key: 's' })).toEqual([200, { key: 's', value: 'x' }]);
  });

  it('keeps entities, and changes all or nothing', async () => {
    await kvs('entity/set', { entityName: 'note', key: '1', value: { text: 'one' } });
    await kvs('entity/set', { entityName: 'note', key: '2', value: { text: 'two' } });
    const query = { entityName: 'note', indexName: 'text', sort: 'DESC', range: { condition: 'GREATER_THAN', values: ['a'] } };
    expect(await kvs('entity/query', { ...query, limit: 1 })).toEqual([
      200,
      { data: [{ key: '2', value: { text: 'two' } }], cursor: expect.any(String) },
    ]);
    const conditions = { and: [{ property: 'text', condition: 'EQUAL_TO', values: ['two'] }] };
    const transaction = { set: [{ key: 'a', value: 1 }], check: [{ key: '1', entityName: 'note', conditions }] };
    expect(await kvs('transaction', transaction)).toMatchObject([409, { code: 'KEY_CONFLICT' }]);
    expect(await kvs('get', { key: 'a' })).toMatchObject([404, {}]);
  });

  it('is refused what there is nothing behind', async () => {
    expect(await kvs('batch/unheard', {})).toMatchObject([404, { code: 'NOT_FOUND' }]);
    await expect(
      around.__forge_fetch__({ type: 'fpp', provider: 'app', remote: 'jira' }, '/rest/api/3/myself', { method: 'GET', body: '' }),
    ).rejects.toThrow('nothing behind this host');
  });
});
