import { appToken, type FakeApp, startFakeApp, World } from '@bulkhead/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let app: FakeApp;
let world: World;
/** Whether the App accepts what it is told. */
const mood = { installs: true, events: true };
/** What the App has taken in, by clientKey: its secret, and the last it heard since. */
const taken = new Map<string, { secrets: string[]; last: string }>();

beforeAll(async () => {
  app = await startFakeApp({ key: 'notes' });
  app.answer = ({ body: { clientKey, sharedSecret, eventType } }) => {
    if (!(eventType === 'installed' ? mood.installs : mood.events)) return { status: 503 };
    const known = taken.get(clientKey) ?? { secrets: [], last: '' };
    if (eventType === 'installed') known.secrets.push(sharedSecret);
    // Two events of one uninstall may change places, and an App that is gone is not disabled.
    if (!(known.last === 'uninstalled' && eventType === 'disabled')) known.last = eventType;
    taken.set(clientKey, known);
    return { status: 204 };
  };
  world = await World.create({ egressAllow: [app.address] });
  await world.meta('POST', '/apps', { descriptor: app.descriptor });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

type Step =
  | 'install'
  | 'refused install'
  | 'enable'
  | 'disable'
  | 'uninstall'
  | 'install twice at once'
  | 'install and uninstall at once'
  | 'App away'
  | 'App back'
  | 'time';
const STEPS: readonly Step[] = [
  'install',
  'refused install',
  'enable',
  'disable',
  'uninstall',
  'install twice at once',
  'install and uninstall at once',
  'App away',
  'App back',
  'time',
];

/** What the host ought to say of the install. */
interface Model {
  status: 'none' | 'enabled' | 'disabled';
  clientKey: string | null;
}

class Subject {
  readonly id: string;
  constructor(id: string) {
    this.id = id;
  }
  #call(method: string, path = '') {
    return world.meta(
      method,
      `/applications/${this.id}/installs${path}`,
      method === 'POST' && path === '' ? { app_key: 'notes' } : undefined,
    );
  }
  install = () => this.#call('POST');
  change = (verb: 'enable' | 'disable') => this.#call('POST', `/notes/${verb}`);
  uninstall = () => this.#call('DELETE', '/notes');
  get = () => this.#call('GET', '/notes');
  /** The status of a call by the App with this secret. */
  async callWith(sharedSecret: string): Promise<number> {
    const path = `/t/${this.id}/rest/atlassian-connect/1/addons/notes`;
    const token = appToken({ appKey: 'notes', sharedSecret }, { method: 'GET', path, now: world.clock.now() });
    return (await world.call('GET', path, { headers: { authorization: `JWT ${token}` } })).status;
  }
}

/** Takes one step and says what the model is then; fails where an answer is none that the model knows. */
async function take(step: Step, subject: Subject, model: Model): Promise<Model> {
  const isThere = model.status !== 'none';
  switch (step) {
    case 'install': {
      const answer = await subject.install();
      expect([200, 201]).toContain(answer.status);
      if (model.clientKey !== null) expect(answer.json.client_key).toBe(model.clientKey);
      return { status: 'enabled', clientKey: answer.json.client_key };
    }
    case 'refused install': {
      mood.installs = false;
      expect((await subject.install()).status).toBe(502);
      mood.installs = true;
      return model;
    }
    case 'enable':
    case 'disable': {
      expect((await subject.change(step)).status).toBe(isThere ? 200 : 404);
      return isThere ? { ...model, status: step === 'enable' ? 'enabled' : 'disabled' } : model;
    }
    case 'uninstall':
      expect((await subject.uninstall()).status).toBe(isThere ? 204 : 404);
      return { ...model, status: 'none' };
    case 'install twice at once': {
      const answers = await Promise.all([subject.install(), subject.install()]);
      const made = answers.filter(({ status }) => status < 300);
      expect(made.length).toBeGreaterThan(0);
      expect(answers.every(({ status }) => status < 300 || status === 409)).toBe(true);
      return { status: 'enabled', clientKey: made[0]!.json.client_key };
    }
    case 'install and uninstall at once': {
      const [installed, removed] = await Promise.all([subject.install(), subject.uninstall()]);
      // One after the other in some order, or the second was told to wait.
      expect([200, 201]).toContain(installed.status);
      expect([204, 404, 409]).toContain(removed.status);
      const now = (await subject.get()).status;
      if (removed.status !== 204) expect(now).toBe(200);
      return { status: now === 200 ? 'enabled' : 'none', clientKey: installed.json.client_key };
    }
    case 'App away':
    case 'App back':
      mood.events = step === 'App back';
      return model;
    case 'time':
      world.clock.advance(6 * 60_000);
      await world.platform.runDueDeliveries();
      return model;
  }
}

async function agrees(subject: Subject, model: Model): Promise<void> {
  const answer = await subject.get();
  expect(answer.status === 200 ? answer.json.status : 'none').toBe(model.status);
  const secrets = model.clientKey === null ? [] : (taken.get(model.clientKey)?.secrets ?? []);
  const last = secrets.at(-1);
  if (last !== undefined) expect(await subject.callWith(last)).toBe({ none: 401, enabled: 200, disabled: 403 }[model.status]);
  for (const old of secrets.slice(-3, -1)) expect(await subject.callWith(old)).toBe(401);
}

describe('I5: lifecycle calls in any order, twice, at once, half failed', () => {
  test('host and App agree after each step, and in the end on what the App was told', { timeout: 180_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { minLength: 1, maxLength: 14 }), async (steps) => {
        const subject = new Subject((await world.application()).id);
        mood.events = true;
        let model: Model = { status: 'none', clientKey: null };
        for (const step of steps) {
          model = await take(step, subject, model);
          await agrees(subject, model);
        }
        mood.events = true;
        // Past the whole ladder, and the rest of an endpoint that kept failing.
        for (let hours = 0; hours < 40; hours += 2) {
          world.clock.advance(2 * 3_600_000);
          await world.platform.runDueDeliveries();
        }
        const told = model.clientKey === null ? undefined : taken.get(model.clientKey)?.last;
        if (told !== undefined) expect(told).toBe({ none: 'uninstalled', enabled: 'enabled', disabled: 'disabled' }[model.status]);
        await agrees(subject, model);
      }),
      { numRuns: 40 },
    );
  });
});
