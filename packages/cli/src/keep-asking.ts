import { setTimeout as sleep } from 'node:timers/promises';
import { CallError } from './call-api.ts';

const FIRST_MS = 1_000;
const LAST_MS = 30_000;

/**
 * What `ask` answers. Where the server is away, busy or restarting for the moment, it is asked again after a while that doubles, or the
 * one it names, and standard error says so; what will not pass by itself is thrown. Null once `stopped` is aborted.
 */
export async function keepAsking<T>(ask: () => Promise<T>, stopped: AbortSignal): Promise<T | null> {
  for (let wait = FIRST_MS; !stopped.aborted; wait = Math.min(2 * wait, LAST_MS)) {
    try {
      const answer = await ask();
      if (wait > FIRST_MS) process.stderr.write('Going on.\n');
      return answer;
    } catch (thrown) {
      if (!(thrown instanceof CallError) || !thrown.mayPass) throw thrown;
      const ms = Math.max(wait, thrown.retryAfterMs);
      process.stderr.write(`${thrown.message} Trying again in ${Math.ceil(ms / 1_000)} s.\n`);
      await sleep(ms, undefined, { signal: stopped }).catch(() => undefined);
    }
  }
  return null;
}
