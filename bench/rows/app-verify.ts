import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { type AppRequest, createAppKit, defineDescriptor, memoryTenantStore, Secret } from '@bulkhead/app-kit';
import { FakeHost } from '@bulkhead/app-kit/testkit';
import { sharedSecretKey } from '@bulkhead/protocol';
import { alternate, figure, median, medians } from '../alternate.ts';
import type { Row } from '../row.ts';

const { getVerifiedClaims } = createRequire(import.meta.url)('atlassian-connect-express/lib/middleware/authentication') as {
  readonly getVerifiedClaims: (addon: unknown, request: unknown, response: unknown, skipQsh: boolean) => Promise<unknown>;
};

const REQUESTS = 10_000;
const FASTER_THAN_ACE = 3;
const appKey = 'bench';
const appBaseUrl = 'https://app.example';

/** Processor time per call, in µs, of this process. */
async function costOf(calls: number, work: () => Promise<void> | void): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

export const appVerify: Row = {
  id: 'app-verify',
  what: `app-kit: a page's token verified, its qsh and its tenant: processor time per request (and ${FASTER_THAN_ACE} times as fast as atlassian-connect-express)`,
  yardstick: 'HMAC-SHA256 of the same token by node:crypto, with a key object',
  unit: 'ratio',
  reach: { atMost: 6 },
  needs: [],
  async measure(lab) {
    const host = new FakeHost({ appKey, appBaseUrl });
    const store = memoryTenantStore({ appKey });
    const sessionSecret = new Secret('a session secret of thirty-two characters');
    const kit = createAppKit({
      descriptor: defineDescriptor({ key: appKey, baseUrl: appBaseUrl }),
      issuers: [host.issuer],
      store,
      sessionSecret,
      fetch: host.fetch,
    });
    const tenant = host.tenant('tenant-a');
    await kit.answer(tenant.installed());
    const secret = tenant.sharedSecret.reveal();
    const key = sharedSecretKey(tenant.sharedSecret);
    const page = (at: number): AppRequest =>
      tenant.page(`/page?lic=none&cp=%2Fwiki&xdm_e=https%3A%2F%2Fhost.example&xdm_c=channel-page&cv=1001.0.0&issue=A-${at}`, {
        sub: 'user',
      });
    const requests = Array.from({ length: REQUESTS }, (_, at) => page(at));
    const tokens = requests.map(({ rawTarget }) => new URLSearchParams(rawTarget.slice(rawTarget.indexOf('?'))).get('jwt') ?? '');
    const inputs = tokens.map((token) => token.slice(0, token.lastIndexOf('.')));

    const ours = () =>
      costOf(REQUESTS, async () => {
        for (const request of requests) await kit.verifyRequest(request, { repeatable: true });
      });
    const hmac = () =>
      costOf(REQUESTS, () => {
        for (const input of inputs) createHmac('sha256', key).update(input).digest();
      });
    const info = { key: appKey, clientKey: 'tenant-a', baseUrl: tenant.baseUrl, sharedSecret: secret };
    const addon = {
      key: appKey,
      descriptor: { baseUrl: appBaseUrl },
      logger: console,
      settings: { get: () => Promise.resolve(info) },
      config: { maxTokenAge: () => 900_000, localBaseUrl: () => appBaseUrl, baseUrl: new URL(appBaseUrl) },
    };
    const expressRequests = requests.map(({ rawTarget }) => ({
      method: 'GET',
      originalUrl: rawTarget,
      path: '/page',
      // Express has parsed it before, whoever asks for it.
      query: Object.fromEntries(new URLSearchParams(rawTarget.slice(rawTarget.indexOf('?')))),
      headers: {},
      body: {},
      header: () => undefined,
    }));
    const response = { setHeader: () => undefined };
    const ace = () =>
      costOf(REQUESTS, async () => {
        for (const request of expressRequests) await getVerifiedClaims(addon, request, response, false);
      });

    await Promise.all([ours(), hmac(), ace()]);
    const measured = await alternate({ rounds: lab.rounds, ours, yardstick: hmac, compare: (mine, theirs) => mine / theirs });
    const theirs: number[] = [];
    for (let round = 0; round < lab.rounds; round += 1) theirs.push(await ace());
    const faster = median(theirs) / median(measured.samples.map((sample) => sample.ours));
    return {
      ...measured,
      sound: faster >= FASTER_THAN_ACE,
      note: `${medians(measured.samples, 'µs')}; atlassian-connect-express, without Express, ${figure(median(theirs))} µs, ${figure(faster)} times as long; ${REQUESTS} requests of six parameters, tenants in memory.`,
    };
  },
};
