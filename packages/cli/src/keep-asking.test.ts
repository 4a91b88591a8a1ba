import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallError } from './call-api.ts';
import { keepAsking } from './keep-asking.ts';

let said: string[] = [];
beforeEach(() => {
  said = [];
  vi.useFakeTimers();
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(() => {
  vi.useRealTimers();
});

const away = (retryAfterMs = 0) => new CallError('Away.', { mayPass: true, retryAfterMs });

/** An answer at last, after these. */
function asking(...failures: Error[]) {
  let asked = 0;
  return {
    ask: async () => {
      const failure = failures[asked++];
      if (failure !== undefined) throw failure;
      return 'answer';
    },
    asked: () => asked,
  };
}

describe('whoever tails', () => {
  it('goes on past a server that is away, asks less and less often or as it is told, and says so', async () => {
    const { ask, asked } = asking(away(), away(), away(9_000));
    const answer = keepAsking(ask, new AbortController().signal);
    await vi.runAllTimersAsync();
    expect(await answer).toBe('answer');
    expect(asked()).toBe(4);
    expect(said).toEqual(['Away. Trying again in 1 s.\n', 'Away. Trying again in 2 s.\n', 'Away. Trying again in 9 s.\n', 'Going on.\n']);
  });

  it('is told at once of what will not pass by itself', async () => {
    const { ask, asked } = asking(new CallError('The credential has ended.'));
    await expect(keepAsking(ask, new AbortController().signal)).rejects.toThrow('The credential has ended.');
    expect([asked(), said]).toEqual([1, []]);
  });

  it('ends when it is stopped, also while it waits', async () => {
    const stop = new AbortController();
    const { ask, asked } = asking(away(), away());
    const answer = keepAsking(ask, stop.signal);
    await vi.advanceTimersByTimeAsync(10);
    stop.abort();
    expect(await answer).toBe(null);
    expect(asked()).toBe(1);
  });
});
