import { describe, expect, test } from 'vitest';
import { type ApplicationEvent, events, HostError, queue } from '../index.ts';
import { openTestHost } from './test-host.ts';

describe('a queue in a unit test', () => {
  test('keeps what is pushed, in order, with its delay', async () => {
    using host = openTestHost({ queues: ['work'] });
    const pushed = await queue('work').push([{ page: 1 }, { page: 2 }], { delaySeconds: 5 });
    await queue('work').push('last');
    expect(host.jobs.map(({ payload, delaySeconds }) => [payload, delaySeconds])).toEqual([
      [{ page: 1 }, 5],
      [{ page: 2 }, 5],
      ['last', 0],
    ]);
    expect(pushed.jobs).toEqual(host.jobs.slice(0, 2).map(({ id }) => id));
    expect(await queue('work').job(pushed.id).cancel()).toBe(2);
    expect(await queue('work').job(pushed.jobs[0]!).stats()).toMatchObject({ waiting: 0, cancelled: 1 });
    expect(host.jobs.at(-1)?.status).toBe('waiting');
  });

  test.each([
    ['one that is not declared', () => queue('other').push(1), 'function.queue_unknown'],
    ['51 at a time', () => queue('work').push(Array.from({ length: 51 }, () => 1)), 'request.invalid'],
    ['200 KB', () => queue('work').push('x'.repeat(200_000)), 'request.invalid'],
    ['a delay of 901 seconds', () => queue('work').push(1, { delaySeconds: 901 }), 'request.invalid'],
    ['a job that there is not', () => queue('work').job('job9').stats(), 'not_found'],
  ])('%s is refused as the host refuses it', async (_, act, code) => {
    using _host = openTestHost({ queues: ['work'] });
    await expect(act()).rejects.toMatchObject({ name: 'HostError', code });
  });
});

describe('events in a unit test', () => {
  const happened = Array.from(
    { length: 3 },
    (_, at): ApplicationEvent => ({
      id: `evt${at}`,
      type: 'account.connected',
      account: at,
      created: '2026-01-01T00:00:00.000Z',
      data: {},
    }),
  );

  test('are read page by page, from a cursor on', async () => {
    using _host = openTestHost({ events: happened });
    const first = await events.list({ limit: 2 });
    expect([first.events.map(({ id }) => id), first.remaining]).toEqual([['evt0', 'evt1'], 1]);
    const rest = await events.list({ cursor: first.cursor });
    expect([rest.events, rest.remaining]).toEqual([[happened[2]], 0]);
    await expect(events.list({ cursor: 'of another log' })).rejects.toThrow(HostError);
  });

  test('are none where the manifest does not ask for them', async () => {
    using _host = openTestHost();
    await expect(events.list()).rejects.toMatchObject({ code: 'forbidden' });
  });
});
