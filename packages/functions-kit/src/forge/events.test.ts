import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PLACE } from '../host.ts';
import {
  InvalidPushSettingsError,
  InvalidQueueNameError,
  JobDoesNotExistError,
  NoEventsToPushError,
  PayloadTooBigError,
  Queue,
  RateLimitError,
  TooManyEventsError,
} from './events.ts';

const places = globalThis as Record<symbol, unknown>;
let asked: unknown[];
let answer: Response;
beforeEach(() => {
  asked = [];
  answer = Response.json({ id: 'psh1', jobs: ['job1'] });
  places[PLACE] = {
    fetch: async (_url: string, { body }: { body: string }) => {
      asked.push(JSON.parse(body));
      return answer;
    },
  };
});
afterEach(() => {
  delete places[PLACE];
});

const queue = new Queue({ key: 'work' });
const refusal = (code: string) => Response.json({ code, message: 'no' }, { status: 429 });

describe('Queue of @forge/events', () => {
  it('pushes events, each with its delay, as one push', async () => {
    expect(await queue.push([{ body: { a: 1 }, delayInSeconds: 5 }, { body: { a: 2 } }])).toEqual({ jobId: 'psh1' });
    expect(asked).toEqual([
      {
        op: 'push',
        queue: 'work',
        jobs: [
          { payload: { body: { a: 1 } }, delay_seconds: 5 },
          { payload: { body: { a: 2 } }, delay_seconds: 0 },
        ],
      },
    ]);
  });

  it('pushes payloads of version 1, and answers the id alone', async () => {
    expect(await queue.push(['hello', { body: 'text' }], { delayInSeconds: 7 })).toBe('psh1');
    expect(asked).toMatchObject([
      {
        jobs: [
          { payload: { payload: 'hello' }, delay_seconds: 7 },
          { payload: { payload: { body: 'text' } }, delay_seconds: 7 },
        ],
      },
    ]);
  });

  it.each([
    ['nothing', [], NoEventsToPushError],
    ['more than 50', Array.from({ length: 51 }, () => ({ body: {} })), TooManyEventsError],
    ['more than 200,000 bytes', [{ body: { text: 'x'.repeat(200_000) } }], PayloadTooBigError],
    ['a delay that is too long', [{ body: {}, delayInSeconds: 901 }], InvalidPushSettingsError],
    ['a delay that is none', [{ body: {}, delayInSeconds: -1 }], InvalidPushSettingsError],
  ])('refuses %s before it asks', async (_, events, kind) => {
    await expect(queue.push(events)).rejects.toBeInstanceOf(kind);
    expect(asked).toEqual([]);
  });

  it.each([
    ['function.jobs_too_fast', RateLimitError],
    ['function.queue_unknown', InvalidQueueNameError],
    ['not_found', JobDoesNotExistError],
  ])('throws for %s of the host the class that Forge names', async (code, kind) => {
    answer = refusal(code);
    await expect(queue.push({ body: {} })).rejects.toBeInstanceOf(kind);
  });

  it('takes no name that is none', () => {
    expect(() => new Queue({ key: 'a b' })).toThrow(InvalidQueueNameError);
  });

  it('tells what became of a push, and cancels the rest', async () => {
    answer = Response.json({ stats: { waiting: 1, running: 2, done: 3, failed: 4, cancelled: 5 } });
    expect(await queue.getJob('psh1').getStats()).toEqual({ success: 3, inProgress: 3, failed: 9 });
    answer = Response.json({ cancelled: 1 });
    await queue.getJob('psh1').cancel();
    expect(asked).toEqual([
      { op: 'stats', queue: 'work', id: 'psh1' },
      { op: 'cancel', queue: 'work', id: 'psh1' },
    ]);
  });
});
