import { apiKey, bearer, type BulkheadAnswer, demoErrors, heldCredential, possessive, textAt, valueAt } from '../company/index.ts';
import * as requests from '../company/requests.ts';
import { type CompanyParts, Template } from './template.ts';
import type { RecordedCall, Recorder } from './recorder.ts';
import { type Lane, otherLane, type ServiceId, type Outcome, type Visit } from './visit.ts';

const NEVER_AN_ACCOUNT = '4503599627370496';
const listPath: Readonly<Record<ServiceId, string>> = { harbour: '/files', lantern: '/notes' };

/** The answer without what may differ: the request's id. */
function comparable(answer: BulkheadAnswer): string {
  return answer.requestId === null ? answer.text : answer.text.replaceAll(answer.requestId, '');
}

function listed(answer: BulkheadAnswer): string[] {
  const found = valueAt(answer, 'files') ?? valueAt(answer, 'notes');
  return Array.isArray(found) ? found.map((each: { name?: unknown; text?: unknown }) => String(each.name ?? each.text)) : [];
}

/**
 * The company's server: holds the Meta token and the customers' API keys, and does each step of the page by Bulkhead's HTTP API.
 * Steps throw the demo's errors; the caller shows them in the step's place.
 */
export class CompanyServer {
  readonly #parts: CompanyParts;
  readonly #template: Template;

  constructor(parts: CompanyParts) {
    this.#parts = parts;
    this.#template = new Template(parts);
  }

  /** The template's requests, once it is made. */
  get templateCalls(): readonly RecordedCall[] {
    return this.#template.calls;
  }

  async clone(lane: Lane, record: Recorder): Promise<Outcome> {
    const { metaToken, receiver } = this.#parts;
    const from = (templateId: string) => requests.cloneTemplate(metaToken, templateId, lane.customer);
    const note = 'The whole provisioning of a customer';
    let answer = await record.ask(note, from(await this.#template.id()));
    if (valueAt(answer, 'code') === 'application.unknown_source') {
      // Somebody deleted the template; it is made again.
      record.calls.length = 0;
      this.#template.forget();
      answer = await record.ask(note, from(await this.#template.id()));
    }
    record.expect(answer, 201);
    const key = heldCredential(`${lane.customer.key.toUpperCase()}_API_KEY`, textAt(answer, 'default_api_key', 'key'));
    const id = textAt(answer, 'id');
    const hook = await record.need('Where Paperboat hears of it', requests.addWebhook(metaToken, id, receiver.hookUrl(id)), 201);
    receiver.expect(id, lane.customer, textAt(hook, 'signing_secret'));
    lane.application = { id, key };
    return {
      good: true,
      text: `${lane.customer.name} has an Application of its own.`,
      points: [
        'Copied: services, OAuth key, redirect URI, branding.',
        'Not copied: accounts, tokens, API keys. Its own API key came back once.',
        'Its webhook leads to Paperboat’s receiver (“Events”, at the top of this page), signed with a secret of its own.',
      ],
    };
  }

  /** Pushes the authorization request; the end user may choose among `services`. @returns where their browser goes next. */
  async beginConnect(lane: Lane, services: readonly ServiceId[], record: Recorder): Promise<string> {
    const { client, redirectUri } = this.#parts;
    if (lane.application === null) throw demoErrors('demo.too_early', { params: { first: 'Clone' } });
    const flow = requests.newPending(lane.customer.person.id, redirectUri);
    const answer = await record.need(
      'The request, sent ahead by the server (PAR, PKCE)',
      requests.pushAuthorization(lane.application.key, lane.application.id, services.join(' '), flow),
      201,
    );
    lane.pending = { flow, calls: record.calls };
    return requests.connectUrl(client.baseUrl, lane.application.id, textAt(answer, 'request_uri'));
  }

  /** The browser is back with an answer. */
  async endConnect(lane: Lane, answer: URLSearchParams, record: Recorder): Promise<Outcome> {
    const { application, pending } = lane;
    if (application === null || pending === null) throw demoErrors('demo.too_early', { params: { first: 'Clone' } });
    lane.pending = null;
    record.calls.push(...pending.calls);
    const { person } = lane.customer;
    const error = answer.get('error');
    if (error !== null) {
      const text =
        error === 'access_denied'
          ? `${person.name} said no, and nothing was connected.`
          : `Nothing was connected: ${answer.get('error_description') ?? error}`;
      return { good: false, text };
    }
    const token = await record.need(
      'The code that came back, redeemed: by now it is spent',
      requests.redeemCode(application.key, heldCredential('CODE', answer.get('code') ?? ''), pending.flow),
      200,
    );
    const id = textAt(token, 'account_id');
    const name = lane.customer.key.toUpperCase();
    const accessToken = textAt(token, 'access_token');
    const read = await record.need('Which service was chosen', requests.readAccount(heldCredential(`${name}_TOKEN`, accessToken), id), 200);
    const service: ServiceId = valueAt(read, 'service') === 'lantern' ? 'lantern' : 'harbour';
    const variable = service === 'harbour' ? `${name}_TOKEN` : `${name}_NOTES_TOKEN`;
    lane.accounts.set(service, { service, id, token: heldCredential(variable, accessToken) });
    return {
      good: true,
      text: `Connected: account ${id} at ${textAt(read, 'service_name')}, for end user ${person.id}.`,
      points: [
        'The request was pushed by the server and names its end user; the code is redeemed for that one only.',
        'The code was redeemed with the API key and the PKCE verifier.',
      ],
    };
  }

  async call(lane: Lane, record: Recorder): Promise<Outcome> {
    const { application, accounts } = lane;
    if (application === null || accounts.size === 0) throw demoErrors('demo.too_early', { params: { first: 'Connect' } });
    const names: string[] = [];
    for (const { service, id, token } of accounts.values()) {
      names.push(...listed(await record.need('By API key', requests.passThrough(apiKey(application.key), id, listPath[service]), 200)));
      await record.need('By Bearer token', requests.passThrough(bearer(token), 'me', listPath[service]), 200);
    }
    return {
      good: true,
      text: `Both ways show what belongs to ${lane.customer.name}: ${names.join(', ')}.`,
      points: [
        'The API key opens every account of this customer; it stays on the server.',
        'The Bearer token opens one account; "me" is that account.',
      ],
    };
  }

  async exchange(lane: Lane, record: Recorder): Promise<Outcome> {
    const { application } = lane;
    const account = lane.accounts.get('harbour') ?? [...lane.accounts.values()][0];
    if (application === null || account === undefined) throw demoErrors('demo.too_early', { params: { first: 'Connect' } });
    const path = listPath[account.service];
    const issued = await record.need('API key in, token out (RFC 8693)', requests.exchangeKey(application.key, account.id, path), 200);
    const narrowed = heldCredential(`${lane.customer.key.toUpperCase()}_NARROW_TOKEN`, textAt(issued, 'access_token'));
    lane.narrowed = narrowed;
    await record.need('Allowed: GET, below its path', requests.passThrough(bearer(narrowed), account.id, path), 200);
    const refused = [
      await record.ask('Refused: another method', requests.upload(narrowed, account.id, 'Refused.txt')),
      await record.ask('Refused: another path', requests.passThrough(bearer(narrowed), account.id, '/me')),
    ];
    const held = refused.every(({ status }) => status === 403 || status === 404);
    return {
      good: held,
      text: held ? `The token can GET ${path} for ten minutes, and nothing else.` : 'The token could do more than it was made for.',
      points: ['Safe to hand to a browser or a small script.', 'It hangs from its API key: delete the key, and the token is dead.'],
    };
  }

  /** This lane's credentials on the other's account. */
  async tryWall(visit: Visit, lane: Lane, record: Recorder): Promise<Outcome> {
    const other = otherLane(visit, lane);
    const own = lane.accounts.get('harbour') ?? [...lane.accounts.values()][0];
    const foreign = other.accounts.get('harbour') ?? [...other.accounts.values()][0];
    if (lane.application === null || own === undefined || foreign === undefined)
      throw demoErrors('demo.too_early', { params: { first: 'Connect (both customers)' } });
    const path = listPath[foreign.service];
    const whose = possessive(lane.customer.name);
    const credentials = [
      { note: `${whose} Bearer token`, credential: bearer(own.token) },
      ...(lane.narrowed === null ? [] : [{ note: `${whose} exchanged token`, credential: bearer(lane.narrowed) }]),
      { note: `${whose} API key`, credential: apiKey(lane.application.key) },
    ];
    const refused: BulkheadAnswer[] = [];
    for (const { note, credential } of credentials)
      refused.push(
        await record.ask(`${note} on ${possessive(other.customer.name)} account`, requests.passThrough(credential, foreign.id, path)),
      );
    const never = await record.ask(
      'For comparison: an account that never existed',
      requests.passThrough(bearer(own.token), NEVER_AN_ACCOUNT, path),
    );
    await record.need(
      'Control: the same token on its own account',
      requests.passThrough(bearer(own.token), own.id, listPath[own.service]),
      200,
    );
    const held = never.status === 404 && refused.every((answer) => answer.status === 404 && comparable(answer) === comparable(never));
    return {
      good: held,
      text: held
        ? `404: for ${lane.customer.name}, ${possessive(other.customer.name)} account does not exist.`
        : 'The wall has a hole: an answer was not the plain 404.',
      points: [
        `${refused.length} credentials, one answer, and the same, word for word, for an account that never existed.`,
        'So nobody learns what other customers have.',
      ],
    };
  }

  /** Deletes the visit's Applications, and with them all they held. */
  async forget(visit: Visit): Promise<void> {
    const { client, metaToken } = this.#parts;
    for (const { application } of Object.values(visit.lanes)) {
      if (application !== null) await client.send(requests.deleteApplication(metaToken, application.id));
    }
  }
}
