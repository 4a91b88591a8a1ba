import type { Lab } from '../lab.ts';
import { Child } from '../machine/child.ts';
import { type LoadResult, warmUp } from '../machine/wrk.ts';
import { startBulkhead } from './bulkhead.ts';
import { createTenants } from './tenants.ts';

const APPLICATIONS = 20;
const TOKENS = 25;

export interface MeStack extends AsyncDisposable {
  readonly ours: () => Promise<LoadResult>;
  readonly yardstick: () => Promise<LoadResult>;
  readonly server: Child;
  readonly bare: Child;
  readonly tokens: number;
  readonly bytes: number;
  readonly url: string;
  readonly requests: readonly { readonly path: string; readonly headers: { readonly authorization: string } }[];
}

/** `GET /v1/accounts/me` by many bearers of many Applications, and a bare `node:http` that answers the bytes of one of them. */
export async function meStack(lab: Lab, name: string, callers: number): Promise<MeStack> {
  const stack = new AsyncDisposableStack();
  const urls = stack.use(await (await lab.cluster()).database(name));
  const server = stack.use(await startBulkhead(urls));
  const tenants = await createTenants(server, { applications: APPLICATIONS, tokens: TOKENS, upstreamUrl: 'https://files.example' });
  const bearers = interleaved(tenants.map((tenant) => tenant.bearers));
  const answer = await fetch(`${server.url}/v1/accounts/me`, { headers: { authorization: `Bearer ${bearers[0]}` } });
  const body = await answer.text();
  if (answer.status !== 200) throw new Error(`${answer.status} ${body}`);
  const bare = stack.use(await Child.program('server', 'bare-http', { body }));
  const requests = bearers.map((bearer) => ({ path: '/v1/accounts/me', headers: { authorization: `Bearer ${bearer}` } }));
  const load = { requests, callers, seconds: lab.seconds };
  const ours = await lab.wrk.prepare({ ...load, url: server.url });
  const yardstick = await lab.wrk.prepare({ ...load, url: (bare.ready as { url: string }).url });
  await warmUp(ours);
  await warmUp(yardstick);
  return {
    ours,
    yardstick,
    server: server.child,
    bare,
    tokens: bearers.length,
    bytes: Buffer.byteLength(body),
    url: server.url,
    requests,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** One of each, then the next of each: neighbours in the list belong to different Applications. */
export function interleaved<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => (at < list.length ? [list[at]!] : []))).flat();
}
