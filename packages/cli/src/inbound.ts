import { randomBytes } from 'node:crypto';
import { ApiCaller, type AtServer } from './call-api.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface OfApplication extends AtServer {
  readonly application: string;
}
export interface AddOptions extends OfApplication {
  readonly scheme?: string;
}
export interface RotateOptions extends OfApplication {
  readonly finish?: true;
}
export interface MessagesOptions extends AtServer {
  readonly service?: string;
}

interface InboundWebhook {
  readonly id: string;
  readonly service: string;
  readonly scheme: string;
  readonly url: string;
  readonly has_secondary_secret: boolean;
}
interface InboundMessage {
  readonly id: string;
  readonly service: string;
  readonly event: string | null;
  readonly accounts: readonly number[];
  readonly created: string;
  readonly payload?: unknown;
}
interface List<T> {
  readonly objects: readonly T[];
}

const VARIABLE = 'INBOUND_SECRET';

function opened(options: OfApplication, id?: string) {
  const below = `/v1/meta/applications/${encodeURIComponent(options.application)}/inbound_webhooks`;
  return { api: new ApiCaller('META_TOKEN', options), path: id === undefined ? below : `${below}/${encodeURIComponent(id)}` };
}

/** Of the environment: an option could be read by every process of the machine. Made here where there is none. */
function secretOf(): { readonly secret: string; readonly isNew: boolean } {
  const given = process.env[VARIABLE];
  if (given === undefined || given === '') return { secret: randomBytes(24).toString('hex'), isNew: true };
  return { secret: given, isNew: false };
}

export async function addInbound(service: string, options: AddOptions): Promise<void> {
  const { secret, isNew } = secretOf();
  const { api, path } = opened(options);
  const made = await api.call<InboundWebhook>('POST', path, {
    service,
    secret,
    ...(options.scheme === undefined ? {} : { scheme: options.scheme }),
  });
  if (options.json) return printJson(isNew ? { ...made, secret } : made);
  process.stdout.write(`${made.id}: ${made.service} reports to ${made.url}\n`);
  if (isNew) process.stdout.write(`Secret, shown this once: ${secret}\n`);
}

export async function listInbound(options: OfApplication): Promise<void> {
  const { api, path } = opened(options);
  const { objects } = await api.call<List<InboundWebhook>>('GET', `${path}?page_size=100`);
  if (options.json) return printJson(objects);
  const rows = objects.map((each) => [each.id, each.service, each.scheme, each.has_secondary_secret ? '2' : '1', each.url]);
  process.stdout.write(
    rows.length === 0 ? 'No service is expected to report.\n' : table(['ID', 'SERVICE', 'SCHEME', 'SECRETS', 'URL'], rows),
  );
}

/** In two steps, so that no message under way is lost: both secrets count, then the new one alone. */
export async function rotateInbound(id: string, options: RotateOptions): Promise<void> {
  const { api, path } = opened(options, id);
  const { secret, isNew } = secretOf();
  if (options.finish) {
    if (isNew) throw new UsageError(`--finish takes the new secret from ${VARIABLE}, which is not set.`);
    const said = await api.call<InboundWebhook>('PATCH', path, { secret, secondary_secret: null });
    if (options.json) return printJson(said);
    return void process.stdout.write(`Only the new secret counts: ${said.id}\n`);
  }
  const said = await api.call<InboundWebhook>('PATCH', path, { secondary_secret: secret });
  if (options.json) return printJson(isNew ? { ...said, secret } : said);
  process.stdout.write(`Both secrets count: ${said.id}. Give the new one to the service, then: ${VARIABLE}=… inbound rotate --finish\n`);
  if (isNew) process.stdout.write(`Secret, shown this once: ${secret}\n`);
}

export async function removeInbound(id: string, options: OfApplication): Promise<void> {
  const { api, path } = opened(options, id);
  await api.call('DELETE', path);
  if (options.json) return printJson({ removed: id });
  process.stdout.write(`Removed: ${id}\n`);
}

export async function listMessages(options: MessagesOptions): Promise<void> {
  const query = options.service === undefined ? '' : `&service=${encodeURIComponent(options.service)}`;
  const api = new ApiCaller('API_KEY', options);
  const { objects } = await api.call<List<InboundMessage>>('GET', `/v1/inbound_messages?page_size=100${query}`);
  if (options.json) return printJson(objects);
  const rows = objects.map((each) => [each.id, each.created, each.service, each.event ?? '-', each.accounts.join(',') || '-']);
  process.stdout.write(rows.length === 0 ? 'No service has reported.\n' : table(['ID', 'CREATED', 'SERVICE', 'EVENT', 'ACCOUNTS'], rows));
}

export async function readMessage(id: string, options: AtServer): Promise<void> {
  const api = new ApiCaller('API_KEY', options);
  const message = await api.call<InboundMessage>('GET', `/v1/inbound_messages/${encodeURIComponent(id)}`);
  printJson(options.json ? message : (message.payload ?? null));
}
