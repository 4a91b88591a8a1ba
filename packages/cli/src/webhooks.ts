import { setTimeout as sleep } from 'node:timers/promises';
import { ApiCaller, type AtServer } from './call-api.ts';
import { parseDuration } from './duration.ts';
import { keepAsking } from './keep-asking.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';
import { untilStopped } from './until-stopped.ts';
import { UsageError } from './usage-error.ts';

export interface OfApplication extends AtServer {
  readonly application: string;
}
export interface RotateOptions extends OfApplication {
  readonly overlap?: string;
}
export interface DeliveriesOptions extends OfApplication {
  readonly status?: string;
}
export interface ReplayOptions extends OfApplication {
  readonly since?: string;
  readonly until?: string;
}

interface Attempt {
  readonly at: string;
  readonly elapsed_ms: number;
  readonly status: number | null;
  readonly failure: string | null;
}
interface Delivery {
  readonly id: string;
  readonly event: string;
  readonly status: string;
  readonly attempts: number;
  readonly log: readonly Attempt[];
  readonly next_attempt: string | null;
  readonly created: string;
}
interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly format: string;
  readonly secret?: string;
  readonly signing_secret?: string;
  readonly health: { readonly status: string; readonly last_failure_reason: string | null };
}
interface List<T> {
  readonly objects: readonly T[];
}

const EVERY_MS = 1_000;
const STATUSES = ['pending', 'delivered', 'failed', 'cancelled'];

function opened(options: OfApplication, id?: string) {
  const below = `/v1/meta/applications/${encodeURIComponent(options.application)}/webhooks`;
  return { api: new ApiCaller('META_TOKEN', options), path: id === undefined ? below : `${below}/${encodeURIComponent(id)}` };
}

export async function listWebhooks(options: OfApplication): Promise<void> {
  const { api, path } = opened(options);
  const { objects } = await api.call<List<Webhook>>('GET', `${path}?page_size=100`);
  if (options.json) return printJson(objects);
  const rows = objects.map((each) => [each.id, each.format, each.health.status, each.health.last_failure_reason ?? '-', each.url]);
  process.stdout.write(rows.length === 0 ? 'There is no webhook.\n' : table(['ID', 'FORMAT', 'HEALTH', 'LAST FAILURE', 'URL'], rows));
}

export async function testWebhook(id: string, options: OfApplication): Promise<void> {
  const { api, path } = opened(options, id);
  const said = await api.call<{ delivered: boolean; attempt: Attempt }>('POST', `${path}/test`);
  if (options.json) printJson(said);
  else process.stdout.write(`${said.delivered ? 'Accepted' : 'Not accepted'}: ${attemptText(said.attempt)}\n`);
  if (!said.delivered) process.exitCode = 1;
}

export async function rotateWebhook(id: string, options: RotateOptions): Promise<void> {
  const overlap = options.overlap === '0s' ? 0 : options.overlap === undefined ? undefined : parseDuration(options.overlap, '--overlap');
  const { api, path } = opened(options, id);
  const said = await api.call<Webhook>('POST', `${path}/rotate_secret`, overlap === undefined ? {} : { overlap_seconds: overlap });
  if (options.json) return printJson(said);
  process.stdout.write(`${(said.format === 'kloudless' ? said.secret : said.signing_secret) ?? ''}\n`);
}

export async function listDeliveries(id: string, options: DeliveriesOptions): Promise<void> {
  if (options.status !== undefined && !STATUSES.includes(options.status))
    throw new UsageError(`--status: expected one of ${STATUSES.join(', ')}.`);
  const { api, path } = opened(options, id);
  const query = options.status === undefined ? '' : `&status=${options.status}`;
  const { objects } = await api.call<List<Delivery>>('GET', `${path}/deliveries?page_size=100${query}`);
  if (options.json) return printJson(objects);
  const rows = objects.map((each) => {
    const last = each.log.at(-1);
    return [each.id, each.created, each.event, each.status, String(each.attempts), last === undefined ? '-' : attemptText(last)];
  });
  process.stdout.write(
    rows.length === 0 ? 'There is no such delivery.\n' : table(['ID', 'CREATED', 'EVENT', 'STATUS', 'ATTEMPTS', 'LAST'], rows),
  );
}

interface Made {
  readonly delivery: Delivery;
  readonly attempt: Attempt;
}

const keyOf = ({ delivery, attempt }: Made): string => `${delivery.id} ${attempt.at}`;
const attemptsOf = (deliveries: readonly Delivery[]): Made[] =>
  deliveries.flatMap((delivery) => delivery.log.map((attempt) => ({ delivery, attempt })));

/** Prints every attempt that is made from now on at one of the newest 1,000 deliveries, also past a server that is away for a while. */
export async function tailDeliveries(id: string, options: OfApplication): Promise<void> {
  const { api, path } = opened(options, id);
  const look = () => api.call<List<Delivery>>('GET', `${path}/deliveries?page_size=1000`);
  // What was there before; a server that cannot be reached now is no tail.
  let known = new Set(attemptsOf((await look()).objects).map(keyOf));
  await untilStopped(async (stopped) => {
    while (!stopped.aborted) {
      await sleep(EVERY_MS, undefined, { signal: stopped }).catch(() => undefined);
      const answer = await keepAsking(look, stopped);
      if (answer === null) break;
      const made = attemptsOf(answer.objects);
      for (const each of made.toSorted((a, b) => a.attempt.at.localeCompare(b.attempt.at))) {
        if (known.has(keyOf(each))) continue;
        const { delivery, attempt } = each;
        process.stdout.write(
          options.json
            ? `${JSON.stringify({ delivery: delivery.id, event: delivery.event, status: delivery.status, attempt })}\n`
            : `${attempt.at}  ${delivery.id}  ${delivery.event}  ${attemptText(attempt)}\n`,
        );
      }
      known = new Set(made.map(keyOf));
    }
  });
}

export async function replayDeliveries(id: string, delivery: string | undefined, options: ReplayOptions): Promise<void> {
  const { since, until } = options;
  if ((delivery === undefined) === (since === undefined))
    throw new UsageError('Name one delivery, or a span of time with --since: not both, not neither.');
  if (delivery !== undefined && until !== undefined) throw new UsageError('--until goes with --since.');
  const { api, path } = opened(options, id);
  if (delivery !== undefined) {
    const said = await api.call<Delivery>('POST', `${path}/deliveries/${encodeURIComponent(delivery)}/replay`);
    return options.json ? printJson(said) : void process.stdout.write(`Sending again: ${said.id}\n`);
  }
  let replayed = 0;
  // Each call goes on where the one before ended: what fails once more meanwhile is not sent again and again.
  for (let next: string | null | undefined = since; next != null; ) {
    const said: { replayed: number; next_since: string | null } = await api.call('POST', `${path}/replay`, {
      since: next,
      ...(until && { until }),
    });
    replayed += said.replayed;
    next = said.next_since;
  }
  if (options.json) printJson({ replayed });
  else process.stdout.write(`Sending again: ${replayed}\n`);
}

function attemptText({ status, failure, elapsed_ms: elapsed }: Attempt): string {
  return `${failure ?? 'ok'} (${status === null ? 'no answer' : `status ${status}`}, ${elapsed} ms)`;
}
