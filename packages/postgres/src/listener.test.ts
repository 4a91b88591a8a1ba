import { silentLog } from '@bulkhead/base';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { notify, openDatabase } from './database.ts';
import { exampleDatabase, runAs } from './scratch-database.ts';

let world: Awaited<ReturnType<typeof exampleDatabase>>;
beforeAll(async () => {
  world = await exampleDatabase();
});
afterAll(() => world.close());

const send = (payload: string, channel = 'test') => world.database.withSystem('test', (tx) => notify(tx, channel, payload));
const killListener = () =>
  runAs(
    world.adminHere,
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'bulkhead-listener' and datname = current_database()`,
  );

test('a notification is heard once its transaction commits, on its own channel only, until closed', async () => {
  const heard: string[] = [];
  const listening = await world.database.listen('test', (payload) => heard.push(payload));
  const other = await world.database.listen('Other "channel"', (payload) => heard.push(`other ${payload}`));
  await world.database
    .withSystem('test', async (tx) => {
      await notify(tx, 'test', 'never');
      throw new Error('back');
    })
    .catch(() => undefined);
  await send('one');
  await send('two', 'Other "channel"');
  await vi.waitFor(() => expect(heard).toEqual(['one', 'other two']));
  await listening.close();
  await send('three');
  await send('four', 'Other "channel"');
  await vi.waitFor(() => expect(heard).toEqual(['one', 'other two', 'other four']));
  await other.close();
});

test('a lost connection comes back by itself and says so, and one that throws does not stop the others', async () => {
  const heard: string[] = [];
  const onReconnect = vi.fn();
  const bad = await world.database.listen('test', () => {
    throw new Error('bad listener');
  });
  const listening = await world.database.listen('test', (payload) => heard.push(payload), { onReconnect });
  expect(await killListener()).toHaveLength(1);
  await vi.waitFor(() => expect(onReconnect).toHaveBeenCalledOnce());
  await send('after');
  await vi.waitFor(() => expect(heard).toEqual(['after']));
  await Promise.all([bad.close(), listening.close()]);
});

test('listening where there is no server is 503', async () => {
  const database = openDatabase({ ...world, listenUrl: 'postgresql://x:x@/none?host=/nonexistent', log: silentLog });
  await expect(database.listen('test', () => undefined)).rejects.toMatchObject({ code: 'database.unavailable' });
  await database.close();
});
