import { deployFunctions } from '../app/index.ts';
import { demoErrors, textAt, valueAt } from '../company/index.ts';
import * as requests from '../company/requests.ts';
import type { Cast, Tenant } from './chapters.ts';

/** One App in both Applications: what it keeps for one customer is not there for the other. */
export async function installApp(cast: Cast, left: Tenant, right: Tenant): Promise<void> {
  const { narrator, metaToken, app } = cast;
  narrator.chapter('An App: somebody else’s program, Issue notes, installed into both');
  await narrator.ask(requests.registerApp(metaToken, app.descriptorUrl), { status: [200, 201], tells: 'known, by its descriptor' });
  // By its vendor, once for all customers; installing the App consents to what it may do.
  if (cast.functions !== null) await deployFunctions(cast.client, { metaToken, appKey: app.key, functions: cast.functions });
  const clientKeys: string[] = [];
  for (const { applicationId, customer } of [left, right]) {
    const installed = await narrator.ask(requests.installApp(metaToken, applicationId, app.key), {
      status: 201,
      tells: (answer) => `installed for ${customer.name}, as ${textAt(answer, 'client_key').slice(0, 9)}…`,
      wrong: (answer) => (clientKeys.includes(textAt(answer, 'client_key')) ? 'the other customer’s install has this client key' : null),
    });
    clientKeys.push(textAt(installed, 'client_key'));
  }
  const [ofLeft = '', ofRight = ''] = clientKeys;
  const note = `call ${left.customer.person.name} back`;
  await app.addNote(ofLeft, note);
  const [here, there] = [await app.notes(ofLeft), await app.notes(ofRight)];
  if (here?.join() === note && there?.length === 0)
    return narrator.good(`     A note for ${left.customer.name} is there for them, and not for ${right.customer.name}`);
  narrator.bad(
    `     A note for ${left.customer.name}: the App finds ${here?.length} for them, ${there?.length} for ${right.customer.name}`,
  );
  throw demoErrors('demo.unexpected_answer', { params: { step: 'the note', expected: '1 and 0', status: 'another', message: '' } });
}

/** The function of the App, which runs at Bulkhead: each customer has an address of their own for it, and another number. */
export async function callFunction({ narrator, app, functions }: Cast, left: Tenant, right: Tenant): Promise<void> {
  if (functions === null) return;
  narrator.chapter('Its function: deployed once, run in a process per customer, called at an address per customer');
  for (const { applicationId, customer } of [left, right])
    await narrator.ask(requests.callWebTrigger(applicationId, app.key), {
      status: 200,
      tells: (answer) => `${customer.name} has ${String(valueAt(answer, 'files'))} files`,
    });
}
