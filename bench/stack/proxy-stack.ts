import type { Lab } from '../lab.ts';
import type { Child } from '../machine/child.ts';
import { startNginx } from '../machine/nginx.ts';
import { type LoadResult, warmUp } from '../machine/wrk.ts';
import { startBulkhead } from './bulkhead.ts';
import { interleaved } from './me-stack.ts';
import { createTenants } from './tenants.ts';

const APPLICATIONS = 4;
const TOKENS = 25;
const BODY = JSON.stringify({
  files: Array.from({ length: 16 }, (_, at) => ({ id: `file-${at}`, name: `Report number ${at}.pdf`, size: 4096 + at })),
})
  .padEnd(1024, ' ')
  .slice(0, 1024);

export interface ProxyStack extends AsyncDisposable {
  readonly server: Child;
  readonly ours: () => Promise<LoadResult>;
  readonly nginx: () => Promise<LoadResult>;
  readonly direct: () => Promise<LoadResult>;
}

/** The same upstream (nginx on the other core, 1 KB) through our pass-through, through nginx, and without anything between. */
export async function proxyStack(lab: Lab, name: string, callers: number): Promise<ProxyStack> {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(
    await startNginx('rest', lab.folder, `${name}-upstream`, `location / { default_type application/json; return 200 '${BODY}'; }`),
  );
  const proxy = stack.use(
    await startNginx(
      'server',
      lab.folder,
      `${name}-proxy`,
      'location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization "Bearer upstream"; }',
      upstream.address,
    ),
  );
  const urls = stack.use(await (await lab.cluster()).database(name));
  const server = stack.use(await startBulkhead(urls, { egressAllow: [upstream.address] }));
  const tenants = await createTenants(server, { applications: APPLICATIONS, tokens: TOKENS, upstreamUrl: upstream.url });
  const bearers = interleaved(tenants.map((tenant) => tenant.bearers));
  const answer = await fetch(`${server.url}/v1/accounts/me/proxy/files`, { headers: { authorization: `Bearer ${bearers[0]}` } });
  if (answer.status !== 200 || (await answer.text()) !== BODY) throw new Error(`the pass-through answered ${answer.status}`);
  const load = { callers, seconds: lab.seconds };
  const plain = [{ path: '/api/files', headers: { authorization: `Bearer ${bearers[0]}` } }];
  const requests = bearers.map((bearer) => ({ path: '/v1/accounts/me/proxy/files', headers: { authorization: `Bearer ${bearer}` } }));
  const ours = await lab.wrk.prepare({ ...load, url: server.url, requests });
  const nginx = await lab.wrk.prepare({ ...load, url: proxy.url, requests: plain });
  const direct = await lab.wrk.prepare({ ...load, url: upstream.url, requests: plain });
  await warmUp(ours);
  for (const run of [nginx, direct]) await run();
  return { server: server.child, ours, nginx, direct, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
