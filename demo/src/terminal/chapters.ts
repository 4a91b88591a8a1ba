import type { DemoApp, DemoFunctions } from '../app/index.ts';
import {
  apiKey,
  bearer,
  type BulkheadAnswer,
  type BulkheadClient,
  type Customer,
  demoErrors,
  type Fetch,
  type HeldCredential,
  heldCredential,
  possessive,
  shortened,
  textAt,
  valueAt,
} from '../company/index.ts';
import * as requests from '../company/requests.ts';
import { demoNotesAccounts, type DemoUpstream } from '../upstream/index.ts';
import type { Narrator } from './narrator.ts';
import { type Choice, WalkingBrowser } from './walking-browser.ts';

/** Where the answer of the connect flow goes. Nobody listens there: the walk ends at the door. */
const REDIRECT_URI = 'https://paperboat.example/connected';

/** What the whole story has in hands. */
export interface Cast {
  readonly narrator: Narrator;
  readonly client: BulkheadClient;
  readonly fetch: Fetch;
  readonly upstream: DemoUpstream;
  readonly app: DemoApp;
  /** Null: the App has none. */
  readonly functions: DemoFunctions | null;
  readonly metaToken: HeldCredential;
  /** Ids of what was made, to be deleted at the end. */
  readonly applications: string[];
}

export interface Tenant {
  readonly customer: Customer;
  readonly applicationId: string;
  readonly key: HeldCredential;
}

export interface Connected extends Tenant {
  readonly accountId: string;
  readonly token: HeldCredential;
}

export async function makeTemplate(cast: Cast): Promise<string> {
  const { narrator, metaToken, upstream } = cast;
  narrator.chapter('A template: services, OAuth key and redirect URI, once');
  const made = await narrator.ask(
    requests.createTemplate(metaToken, 'Made by the Bulkhead demo in the terminal, and deleted when it ends.'),
    { status: 201, tells: (answer) => `Application ${textAt(answer, 'id')}` },
  );
  const id = textAt(made, 'id');
  cast.applications.push(id);
  const harbour = await narrator.ask(requests.addHarbour(metaToken, id, upstream), {
    status: 201,
    tells: 'Harbour Files, an OAuth service of your own',
  });
  upstream.registerRedirectUri(textAt(harbour, 'callback_url'));
  narrator.say(`  Its callback is registered at Harbour Files once, for all customers: ${textAt(harbour, 'callback_url')}`);
  await narrator.ask(requests.addLantern(metaToken, id, upstream), { status: 201, tells: 'Lantern Notes, a service with an API key' });
  await narrator.ask(requests.addOAuthKey(metaToken, id, upstream), {
    status: 201,
    tells: 'OAuth key kept; its secret is never shown again',
  });
  await narrator.ask(requests.addRedirectUri(metaToken, id, REDIRECT_URI), { status: 201, tells: 'Redirect URI registered' });
  return id;
}

export async function clone(cast: Cast, templateId: string, customer: Customer): Promise<Tenant> {
  const { narrator, metaToken } = cast;
  narrator.chapter(`Clone: a compartment for ${customer.name}, in one call`);
  const answer = await narrator.ask(requests.cloneTemplate(metaToken, templateId, customer), {
    status: 201,
    tells: (made) => `Application ${textAt(made, 'id')}`,
    wrong: (made) => (valueAt(made, 'id') === templateId ? 'the clone has the id of its template' : null),
  });
  const applicationId = textAt(answer, 'id');
  cast.applications.push(applicationId);
  const key = heldCredential(`${customer.key.toUpperCase()}_API_KEY`, textAt(answer, 'default_api_key', 'key'));
  narrator.say(`  ${key.variable}=${shortened(key)}  shown once, kept by the company’s server`);
  return { customer, applicationId, key };
}

/** From the pushed request to the token; `choices` is what the end user does on the pages. */
async function walk(
  cast: Cast,
  { customer, applicationId, key }: Tenant,
  scope: string,
  choices: readonly Choice[],
): Promise<BulkheadAnswer> {
  const { narrator, client } = cast;
  const pending = requests.newPending(customer.person.id, REDIRECT_URI);
  const pushed = await narrator.ask(requests.pushAuthorization(key, applicationId, scope, pending), {
    status: 201,
    tells: `Request sent ahead for end user ${customer.person.id}`,
  });
  const browser = new WalkingBrowser(cast.fetch, REDIRECT_URI);
  let place = await browser.open(requests.connectUrl(client.baseUrl, applicationId, textAt(pushed, 'request_uri')));
  for (const choice of choices) place = await browser.submit(place, choice);
  const answer = new URL(place.url).searchParams;
  const code = answer.get('code');
  if (!place.url.startsWith(REDIRECT_URI) || code === null) {
    throw demoErrors('demo.no_connection', {
      params: { problem: `it ended at ${place.url.split('?', 1)[0]} with ${answer.get('error') ?? place.status}.` },
    });
  }
  if (answer.get('state') !== pending.state) throw demoErrors('demo.no_connection', { params: { problem: 'the state is another.' } });
  narrator.good(`     ${customer.person.name} came back to ${REDIRECT_URI} with a code`);
  return narrator.ask(requests.redeemCode(key, heldCredential('CODE', code), pending), {
    status: 200,
    tells: (token) => `account ${textAt(token, 'account_id')}, scope ${textAt(token, 'scope')}`,
  });
}

export async function connect(cast: Cast, tenant: Tenant): Promise<Connected> {
  const { narrator } = cast;
  const { customer } = tenant;
  narrator.chapter(`Connect: ${customer.person.name} of ${customer.name} signs in at Harbour Files`);
  narrator.say('The scope names one service, so nothing is to be chosen: the browser goes straight to Harbour Files.');
  const answer = await walk(cast, tenant, 'harbour', [{ button: { name: 'person', value: customer.person.id } }]);
  const token = heldCredential(`${customer.key.toUpperCase()}_TOKEN`, textAt(answer, 'access_token'));
  narrator.say(`  ${token.variable}=${shortened(token)}`);
  return { ...tenant, accountId: textAt(answer, 'account_id'), token };
}

export async function connectNotes(cast: Cast, tenant: Tenant): Promise<void> {
  const { narrator } = cast;
  narrator.chapter('Connect: where a service has no OAuth (Lantern Notes), the connect page asks for a key');
  const notes = demoNotesAccounts.find(({ id }) => id === tenant.customer.key);
  const answer = await walk(cast, tenant, 'lantern', [{ fill: { api_key: notes?.key ?? '' } }]);
  await narrator.ask(requests.passThrough(apiKey(tenant.key), textAt(answer, 'account_id'), '/notes'), {
    status: 200,
    tells: 'the notes of ' + tenant.customer.name,
    wrong: (list) => missing(list, tenant.customer.name),
  });
}

function missing(answer: BulkheadAnswer, text: string): string | null {
  return answer.text.includes(text) ? null : `the answer does not speak of ${text}`;
}

function fileNames(answer: BulkheadAnswer): string {
  const files = valueAt(answer, 'files');
  if (!Array.isArray(files)) return 'no files';
  return files.map((file: { name?: unknown }) => String(file.name)).join(', ');
}

export async function callAccounts(cast: Cast, { customer, accountId, key, token }: Connected): Promise<void> {
  const { narrator } = cast;
  narrator.chapter(`Call: ${possessive(customer.name)} files, through Bulkhead`);
  narrator.say('With the API key: every account of this customer, from the server.');
  await narrator.ask(requests.passThrough(apiKey(key), accountId, '/files'), {
    status: 200,
    tells: fileNames,
    wrong: (list) => missing(list, customer.name),
  });
  narrator.say('With the Bearer token: this one account.');
  await narrator.ask(requests.passThrough(bearer(token), 'me', '/files'), {
    status: 200,
    tells: fileNames,
    wrong: (list) => missing(list, customer.name),
  });
}

export async function exchange(cast: Cast, { customer, accountId, key }: Connected): Promise<HeldCredential> {
  const { narrator } = cast;
  narrator.chapter('Exchange: a token for ten minutes that can GET /files and nothing else');
  const answer = await narrator.ask(requests.exchangeKey(key, accountId, '/files'), {
    status: 200,
    tells: (token) => `expires in ${textAt(token, 'expires_in')} s`,
  });
  const narrowed = heldCredential('NARROW_TOKEN', textAt(answer, 'access_token'));
  narrator.say(`  ${narrowed.variable}=${shortened(narrowed)}`);
  await narrator.ask(requests.passThrough(bearer(narrowed), accountId, '/files'), {
    status: 200,
    tells: fileNames,
    wrong: (list) => missing(list, customer.name),
  });
  await narrator.ask(requests.upload(narrowed, accountId, 'Refused.txt'), { status: [403, 404], tells: 'POST is not among its methods' });
  await narrator.ask(requests.passThrough(bearer(narrowed), accountId, '/me'), { status: [403, 404], tells: '/me is not below its path' });
  return narrowed;
}

/** The answer without what may differ: the request's id. */
function comparable(answer: BulkheadAnswer): string {
  return answer.requestId === null ? answer.text : answer.text.replaceAll(answer.requestId, '');
}

export async function tryForeignToken(cast: Cast, left: Connected, right: Connected, narrowed: HeldCredential): Promise<void> {
  const { narrator } = cast;
  narrator.chapter(`The wall: ${possessive(left.customer.name)} credentials on ${possessive(right.customer.name)} account`);
  const never = await narrator.ask(requests.passThrough(bearer(left.token), '4503599627370496', '/files'), {
    status: 404,
    tells: 'an account that never existed, to compare with',
  });
  const sameAsNever = (answer: BulkheadAnswer) =>
    comparable(answer) === comparable(never) ? null : 'it differs from the answer for an account that never existed';
  const nothing = { status: 404, tells: 'word for word the same: nobody learns whether it exists', wrong: sameAsNever };
  await narrator.ask(requests.passThrough(bearer(left.token), right.accountId, '/files'), nothing);
  await narrator.ask(requests.passThrough(bearer(narrowed), right.accountId, '/files'), nothing);
  await narrator.ask(requests.passThrough(apiKey(left.key), right.accountId, '/files'), nothing);
  narrator.say(`${possessive(right.customer.name)} own token opens it:`);
  await narrator.ask(requests.passThrough(bearer(right.token), right.accountId, '/files'), {
    status: 200,
    tells: fileNames,
    wrong: (list) => missing(list, right.customer.name),
  });
}

/** Deletes what the story made, clones before their template. */
export async function endApplications({ narrator, metaToken, applications }: Cast): Promise<void> {
  if (applications.length === 0) return;
  narrator.chapter('End: everything of an Application goes with it');
  for (const id of applications.toReversed())
    await narrator.ask(requests.deleteApplication(metaToken, id), { status: 204, tells: 'deleted' });
}
