import { createHmac } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createAppKit, defineDescriptor, memoryTenantStore, Secret } from '@bulkhead/app-kit';
import { FakeHost } from '@bulkhead/app-kit/testkit';
import { sharedSecretKey } from '@bulkhead/protocol';
import { alternate, figure, median, medians } from '../alternate.ts';
import type { Row } from '../row.ts';
import { aceOnExpress4, type GuardedRoute, kitOnExpress5, passGuard } from '../stack/express-guards.ts';

const REQUESTS = 6_000;
/** Of these, so many come before the time is taken: the first after a collection of garbage take longer. */
const WARMING = 1_000;
const FASTER_THAN_ACE = 3;
const appKey = 'bench';
const appBaseUrl = 'https://app.example';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Processor time per call, in µs, of this process. What was thrown away before is not counted in. */
async function costOf<Item>(items: readonly Item[], work: (item: Item) => Promise<unknown> | void): Promise<number> {
  collectGarbage();
  let before = process.cpuUsage();
  for (const [at, item] of items.entries()) {
    if (at === WARMING) before = process.cpuUsage();
    const done = work(item);
    if (done !== undefined) await done;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (items.length - WARMING);
}

export const appVerify: Row = {
  id: 'app-verify',
  what: `app-kit on Express 5: the guard of a page (token, qsh, tenant): processor time per request (and ${FASTER_THAN_ACE} times as fast as atlassian-connect-express)`,
  yardstick: 'HMAC-SHA256 of the same token by node:crypto, with a key object',
  unit: 'ratio',
  reach: { atMost: 6 },
  needs: [],
  async measure(lab) {
    const host = new FakeHost({ appKey, appBaseUrl });
    const kit = createAppKit({
      descriptor: defineDescriptor({ key: appKey, baseUrl: appBaseUrl }),
      issuers: [host.issuer],
      store: memoryTenantStore({ appKey }),
      sessionSecret: new Secret('a session secret of thirty-two characters'),
      fetch: host.fetch,
    });
    const tenant = host.tenant('tenant-a');
    await kit.answer(tenant.installed());
    const { sharedSecret, baseUrl, clientKey } = tenant;
    const query = 'lic=none&cp=%2Fwiki&xdm_e=https%3A%2F%2Fhost.example&xdm_c=channel-page&cv=1001.0.0';
    const requests = Array.from({ length: REQUESTS }, (_, at) => tenant.page(`/page?${query}&issue=A-${at}`, { sub: 'user' }));
    const targets = requests.map(({ rawTarget }) => rawTarget);
    const tokens = targets.map((target) => new URLSearchParams(target.slice(target.indexOf('?'))).get('jwt') ?? '');
    const inputs = tokens.map((token) => token.slice(0, token.lastIndexOf('.')));
    const key = sharedSecretKey(sharedSecret);

    const ours = kitOnExpress5(kit);
    const clientInfo = { key: appKey, clientKey, baseUrl, sharedSecret: sharedSecret.reveal() };
    const ace = await aceOnExpress4({ key: appKey, baseUrl: appBaseUrl, clientInfo });
    const guarding = async (route: GuardedRoute) => costOf(await route.requests(targets), (arrived) => passGuard(route, arrived));
    const hmac = () => costOf(inputs, (input) => void createHmac('sha256', key).update(input).digest());
    const verifying = () => costOf(requests, (request) => kit.verifyRequest(request, { repeatable: true }));
    const aceVerifying = async () => costOf(await ace.requests(targets), (arrived) => ace.verify(arrived));

    for (let time = 0; time < 2; time += 1) for (const warm of [() => guarding(ours), hmac, () => guarding(ace)]) await warm();
    const measured = await alternate({
      rounds: lab.rounds,
      ours: () => guarding(ours),
      yardstick: hmac,
      compare: (mine, theirs) => mine / theirs,
    });
    const beside = { guard: [] as number[], aceGuard: [] as number[], verify: [] as number[], aceVerify: [] as number[] };
    for (let round = 0; round < lab.rounds; round += 1) {
      beside.guard.push(await guarding(ours));
      beside.aceGuard.push(await guarding(ace));
      beside.verify.push(await verifying());
      beside.aceVerify.push(await aceVerifying());
    }
    const faster = median(beside.aceGuard) / median(beside.guard);
    const verifiesFaster = median(beside.aceVerify) / median(beside.verify);
    return {
      ...measured,
      sound: faster >= FASTER_THAN_ACE && verifiesFaster >= FASTER_THAN_ACE,
      note: `${medians(measured.samples, 'µs')}; atlassian-connect-express on Express 4 ${figure(median(beside.aceGuard))} µs, ${figure(faster)} times as long (its verification alone ${figure(median(beside.aceVerify))} against ${figure(median(beside.verify))} µs, ${figure(verifiesFaster)} times); ${REQUESTS} requests of six parameters, tenants in memory.`,
    };
  },
};
