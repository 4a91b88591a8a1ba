import { truncate, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { figure, median, spreadOf } from '../alternate.ts';
import type { Lab } from '../lab.ts';
import { startNginx } from '../machine/nginx.ts';
import type { Row } from '../row.ts';
import { startBulkhead } from '../stack/bulkhead.ts';
import { createTenants } from '../stack/tenants.ts';

const BYTES = 200 * 1024 * 1024;
const READERS = 3;
const READER_BYTES_PER_SECOND = 40 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;

/** Reads an answer to its end, no faster than the limit; answers how much came. */
async function readSlowly(url: string, authorization: string): Promise<number> {
  const request = get(url, { headers: { authorization } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`the pass-through answered ${response.statusCode}`);
  const startedAt = performance.now();
  let received = 0;
  for await (const chunk of response) {
    received += (chunk as Buffer).byteLength;
    const aheadMs = (received / READER_BYTES_PER_SECOND) * 1000 - (performance.now() - startedAt);
    if (aheadMs > 1) await delay(aheadMs);
  }
  return received;
}

async function growth(lab: Lab, round: number): Promise<number> {
  await writeFile(join(lab.folder, 'large'), '');
  await truncate(join(lab.folder, 'large'), BYTES);
  await using upstream = await startNginx(
    'rest',
    lab.folder,
    `stream-${round}`,
    `location /api/large { alias ${lab.folder}/large; } location / { return 200 'small'; }`,
  );
  await using urls = await (await lab.cluster()).database(`stream_${round}`);
  await using server = await startBulkhead(urls, { egressAllow: [upstream.address] });
  const [tenant] = await createTenants(server, { applications: 1, tokens: 1, upstreamUrl: upstream.url });
  const authorization = `Bearer ${tenant!.bearers[0]}`;
  const proxied = `${server.url}/v1/accounts/me/proxy`;
  await (await fetch(`${proxied}/small`, { headers: { authorization } })).text();
  const before = server.child.residentBytes();
  let largest = before;
  const watch = setInterval(() => (largest = Math.max(largest, server.child.residentBytes())), 25);
  try {
    const received = await Promise.all(Array.from({ length: READERS }, () => readSlowly(`${proxied}/large`, authorization)));
    if (received.some((bytes) => bytes !== BYTES)) throw new Error(`cut short: ${received.join(', ')}`);
  } finally {
    clearInterval(watch);
  }
  return (largest - before) / MEGABYTE;
}

export const streamRss: Row = {
  id: 'stream-rss',
  what: 'pass-through of 200 MB to three slow readers at once: growth of resident memory',
  yardstick: 'memory before',
  unit: 'MB',
  reach: { atMost: 100 },
  needs: ['nginx', 'taskset'],
  async measure(lab) {
    const values: number[] = [];
    for (let round = 0; round < lab.rounds; round += 1) values.push(await growth(lab, round));
    const note = `${figure(median(values))} MB at most, a fresh process each round, ${READER_BYTES_PER_SECOND / MEGABYTE} MB/s per reader, every byte received.`;
    return { value: median(values), samples: values.map((ours) => ({ ours, yardstick: null })), spread: spreadOf(values), note };
  },
};
