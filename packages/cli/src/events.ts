import { setTimeout as sleep } from 'node:timers/promises';
import { ApiCaller, type AtServer } from './call-api.ts';
import { keepAsking } from './keep-asking.ts';
import { untilStopped } from './until-stopped.ts';
import { UsageError } from './usage-error.ts';

export interface TailOptions extends AtServer {
  readonly application?: string;
  readonly account?: string;
  /** A cursor, or `start`. */
  readonly from?: string;
  readonly once?: true;
}

interface EventPage {
  readonly cursor: string;
  readonly objects: readonly { id: string; type: string; account: number | null; created: string; data: Record<string, unknown> }[];
}

const EVERY_MS = 1_000;

/** Prints events in their order, each once, until Ctrl-C, also past a server that is away for a while (or to the end of what there is, with `once`). */
export async function tailEvents({ application, account, from, once, json, ...at }: TailOptions): Promise<void> {
  if (account !== undefined && !/^\d{1,16}$/.test(account)) throw new UsageError('--account: expected the number of an account.');
  // A key names its Application, so that a mistake is seen before anything is printed.
  if (application !== undefined && !(process.env['API_KEY'] ?? '').startsWith(`bhk_${application.replace(/^app/, '')}_`))
    throw new UsageError(`--application: the key in API_KEY is not one of ${application}.`);
  const api = new ApiCaller('API_KEY', at);
  const path = account === undefined ? '/v1/events' : `/v1/accounts/${account}/events`;
  let cursor = from === 'start' ? null : (from ?? (await api.call<{ cursor: string }>('GET', `${path}/latest`)).cursor);
  // Also where a call fails: who begins again knows where.
  const tellCursor = (): void => void process.stderr.write(`cursor ${cursor ?? 'start'}\n`);
  await untilStopped(async (stopped) => {
    while (!stopped.aborted) {
      const query = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const ask = () => api.call<EventPage>('GET', `${path}?page_size=1000${query}`);
      const page: EventPage | null = await (once ? ask() : keepAsking(ask, stopped));
      if (page === null) break;
      for (const event of page.objects) {
        const line = json
          ? JSON.stringify(event)
          : `${event.created}  ${event.type}  ${event.account ?? '-'}  ${JSON.stringify(event.data)}`;
        process.stdout.write(`${line}\n`);
      }
      ({ cursor } = page);
      if (page.objects.length > 0) continue;
      if (once) break;
      await sleep(EVERY_MS, undefined, { signal: stopped }).catch(() => undefined);
    }
  }).finally(tellCursor);
}
