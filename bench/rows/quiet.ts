import { alternate, figure, median } from '../alternate.ts';
import { Asked } from '../machine/asked.ts';
import { Child } from '../machine/child.ts';
import type { Row } from '../row.ts';
import type { TenantLoadOptions, TenantLoadResult } from '../servers/tenant-load.ts';
import { startBulkhead } from '../stack/bulkhead.ts';
import { interleaved } from '../stack/me-stack.ts';
import { createTenants } from '../stack/tenants.ts';

const QUIET = 5;
const PER_SECOND = 40;
const TIMES = 20;
/** What it sends in a round is about twice what this lets through, its burst of five seconds included. */
const RATE = 200;

export const quiet: Row = {
  id: 'quiet',
  what: `p99 of ${QUIET} tenants that ask for GET /v1/accounts/me ${PER_SECOND} times a second each, beside one that asks ${TIMES} times as often`,
  yardstick: 'the same tenants alone',
  unit: 'ratio',
  reach: { atMost: 2 },
  needs: ['taskset'],
  async measure(lab) {
    await using urls = await (await lab.cluster()).database('quiet');
    await using server = await startBulkhead(urls, { rateLimits: { api: RATE } });
    const tenants = await createTenants(server, { applications: QUIET + 1, tokens: 10, upstreamUrl: 'https://files.example' });
    const [noisy, ...others] = tenants.map(({ bearers }) => bearers);
    const load = async (bearers: readonly string[], perSecond: number): Promise<Asked<TenantLoadResult>> => {
      const given: TenantLoadOptions = { url: server.url, path: '/v1/accounts/me', bearers, perSecond, seconds: lab.seconds };
      return new Asked(await Child.program('rest', 'tenant-load', given));
    };
    await using quietLoad = await load(interleaved(others), QUIET * PER_SECOND);
    await using noisyLoad = await load(noisy!, TIMES * PER_SECOND);
    const seen: { readonly quiet: TenantLoadResult[]; readonly noisy: TenantLoadResult[] } = { quiet: [], noisy: [] };
    const alone = async (): Promise<number> => keep(seen.quiet, await quietLoad.go());
    const beside = async (): Promise<number> => {
      const [mine, its] = await Promise.all([quietLoad.go(), noisyLoad.go()]);
      keep(seen.noisy, its);
      return keep(seen.quiet, mine);
    };
    // Compiled, and past the burst that the noisy one may make.
    for (let round = 0; round < 3; round += 1) await beside();
    seen.noisy.length = seen.quiet.length = 0;
    const measured = await alternate({
      rounds: lab.rounds,
      ours: beside,
      yardstick: alone,
      compare: (ours, yardstick) => ours / yardstick,
    });
    const spared = seen.quiet.every(({ statuses }) => Object.keys(statuses).join() === '200');
    const refused = seen.noisy.every(({ statuses, told }) => Object.keys(statuses).join() === '200,429' && told === statuses['429']);
    const share = median(seen.noisy.map(({ statuses }) => (statuses['429'] ?? 0) / ((statuses['200'] ?? 0) + (statuses['429'] ?? 0))));
    const [ours, yardstick] = [measured.samples.map((one) => one.ours), measured.samples.map((one) => one.yardstick ?? 0)].map(median);
    const note = `p99 ${figure(ours!)} ms against ${figure(yardstick!)} ms alone; ${spared ? 'none of the quiet ones was refused anything' : 'QUIET ONES WERE REFUSED'}; of the noisy one's ${figure(share * 100)} % got 429 with Retry-After, its rate being ${RATE}/s.`;
    return { ...measured, note, sound: spared && refused };
  },
};

function keep(all: TenantLoadResult[], result: TenantLoadResult): number {
  all.push(result);
  return result.p99Ms;
}
