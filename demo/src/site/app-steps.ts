import { deployFunctions, type DemoFunctions } from '../app/index.ts';
import { demoErrors, possessive, textAt, valueAt } from '../company/index.ts';
import * as requests from '../company/requests.ts';
import type { Recorder } from './recorder.ts';
import type { CompanyParts } from './template.ts';
import { type Lane, otherLane, type Outcome, type Visit } from './visit.ts';

const NOTE_LENGTH_MAX = 200;

type AppParts = Pick<CompanyParts, 'client' | 'metaToken' | 'app'> & { readonly functions: DemoFunctions | null };

/** The last step: one App in both Applications. The company installs it; what it keeps, the App is asked itself. */
export class AppSteps {
  readonly #parts: AppParts;
  #deployed: Promise<void> | null = null;

  constructor(parts: AppParts) {
    this.#parts = parts;
  }

  async install(lane: Lane, record: Recorder): Promise<Outcome> {
    const { app, metaToken } = this.#parts;
    if (lane.application === null) throw demoErrors('demo.too_early', { params: { first: 'Clone' } });
    // 201 the first time, 200 whenever it is registered again.
    const registered = await record.ask('The App made known, by its descriptor', requests.registerApp(metaToken, app.descriptorUrl));
    if (registered.status !== 200) record.expect(registered, 201);
    const { id } = lane.application;
    await this.#deploy();
    const installed = await record.need('Installed: the scopes are the consent', requests.installApp(metaToken, id, app.key), 201);
    const clientKey = textAt(installed, 'client_key');
    const counted = await this.#counted(id, record);
    lane.install = { clientKey, notes: await listed(app.notes(clientKey)), functionUrl: counted?.url ?? null };
    await record.need('What the App was told, and what it answered', requests.listAppCalls(metaToken, id, app.key), 200);
    const seen = await listed(app.accountsOf(clientKey));
    const own = new Set([...lane.accounts.values()].map((account) => account.id));
    const held = seen.every((account) => own.has(account));
    const { name } = lane.customer;
    return {
      good: held,
      text: held ? `Issue notes is installed for ${name}.` : 'The wall has a hole: the App was shown an account of somebody else.',
      points: [
        `Here its clientKey is ${clientKey.slice(0, 9)}…. Every other Application has another one for it, and another secret.`,
        ...(counted === null ? [] : [counted.told(name)]),
        `It has called back with that secret, and was shown ${seen.length === 0 ? 'no account, since none is connected' : `${possessive(name)} accounts: ${seen.join(', ')}`}.`,
      ],
    };
  }

  /** The vendor's part, once for all customers: before the first install, which consents to what the function may do. */
  #deploy(): Promise<void> {
    const { app, client, functions, metaToken } = this.#parts;
    if (functions === null) return Promise.resolve();
    this.#deployed ??= deployFunctions(client, { metaToken, appKey: app.key, functions }).catch((thrown: unknown) => {
      this.#deployed = null;
      throw thrown;
    });
    return this.#deployed;
  }

  /** Calls the function of the App at the address that it has for this customer; null where the demo has no functions. */
  async #counted(applicationId: string, record: Recorder): Promise<{ readonly url: string; told(name: string): string } | null> {
    const { app, client, functions } = this.#parts;
    if (functions === null) return null;
    const request = requests.callWebTrigger(applicationId, app.key);
    const answer = await record.need('Its function, which runs at Bulkhead for this customer alone, at their address', request, 200);
    const files = String(valueAt(answer, 'files'));
    return {
      url: client.baseUrl + request.path,
      told: (name) =>
        `Its function runs in a process of ${possessive(name)} own. It counted the files of the accounts that are connected: ${files}.`,
    };
  }

  /** Where the browser goes to see the App's own panel, as the customer's person. */
  async openPanel(lane: Lane, record: Recorder): Promise<string> {
    const { app } = this.#parts;
    if (lane.application === null || lane.install === null) throw demoErrors('demo.too_early', { params: { first: 'Install' } });
    const request = requests.linkToPanel(lane.application.key, app.key, lane.customer.person.id, app.issue);
    return textAt(await record.need(`A link to its panel, for ${lane.customer.person.name}: it opens once`, request, 201), 'url');
  }

  /** Asks the App what it keeps by now: a note may have been written in its panel. */
  async refresh(visit: Visit): Promise<void> {
    for (const lane of Object.values(visit.lanes)) {
      const { install } = lane;
      if (install !== null) lane.install = { ...install, notes: await listed(this.#parts.app.notes(install.clientKey)) };
    }
  }

  /** Has the App keep a note for this customer, then asks it what it keeps for either. */
  async writeNote(visit: Visit, lane: Lane, typed: string): Promise<Outcome> {
    const { app } = this.#parts;
    const { install } = lane;
    if (install === null) throw demoErrors('demo.too_early', { params: { first: 'Install' } });
    const text = typed.trim().slice(0, NOTE_LENGTH_MAX);
    const { name } = lane.customer;
    if (text === '') return { good: false, text: 'A note has some text.' };
    const other = otherLane(visit, lane);
    const before = other.install === null ? [] : await listed(app.notes(other.install.clientKey));
    if (!(await app.addNote(install.clientKey, text))) throw demoErrors('demo.app_gone', { params: { customer: name } });
    lane.install = { ...install, notes: await listed(app.notes(install.clientKey)) };
    if (other.install === null) return { good: true, text: `Written for ${name}.` };
    const after = await listed(app.notes(other.install.clientKey));
    other.install = { ...other.install, notes: after };
    const held = after.length === before.length;
    return {
      good: held,
      text: held
        ? `Written for ${name}. For ${other.customer.name} the App finds what it found before: ${count(after.length)}.`
        : `The wall has a hole: the note turned up at ${other.customer.name}.`,
    };
  }
}

/** The App was installed a moment ago; where it is not any more there is nothing to list. */
async function listed(found: Promise<readonly string[] | null>): Promise<readonly string[]> {
  return (await found) ?? [];
}

function count(notes: number): string {
  return notes === 0 ? 'no note' : notes === 1 ? 'one note' : `${notes} notes`;
}
