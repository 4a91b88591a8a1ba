import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configFrom, readEnvironment } from '@bulkhead/platform';
import { pinoLog, startBulkhead } from '@bulkhead/server';
import { UsageError } from './usage-error.ts';

type Closing = (() => Promise<unknown>)[];

/** What the App may do with what is its customers': all that functions can ask for. */
const GRANTED = ['READ', 'WRITE', 'DELETE', 'ACT_AS_USER'];

export interface DevWorld {
  readonly url: string;
  readonly metaToken: string;
  /** Each has the App installed; in the order of their numbers. */
  readonly applicationIds: readonly string[];
  /** The answer's JSON. Throws `UsageError` with what the server said where it is an error. */
  readonly meta: <T>(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown) => Promise<T>;
}

/** A server with all it needs in a temporary folder, an App that takes every lifecycle call, and Applications in which it is installed. */
export async function startDevWorld(
  { appKey, applications, port, inspectPort }: { appKey: string; applications: number; port: string; inspectPort: number | null },
  closing: Closing,
): Promise<DevWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'bulkhead-dev-'));
  closing.push(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  const metaToken = randomBytes(32).toString('base64url');
  const { BULKHEAD_EGRESS_ALLOW = '', BULKHEAD_FUNCTION_LIMITS = '', BULKHEAD_LOG_LEVEL = '' } = process.env;
  const config = configFrom(
    readEnvironment({
      BULKHEAD_PORT: port,
      BULKHEAD_DATA_DIR: folder,
      BULKHEAD_META_TOKEN: metaToken,
      BULKHEAD_EGRESS_ALLOW,
      BULKHEAD_FUNCTION_LIMITS,
      BULKHEAD_LOG_LEVEL,
    }),
    folder,
  );
  const app = createServer((request, response) => void request.resume().on('end', () => response.writeHead(204).end()));
  await once(app.listen(0, '127.0.0.1'), 'listening');
  closing.push(async () => app.close());
  const address = `127.0.0.1:${(app.address() as AddressInfo).port}`;
  const bulkhead = await startBulkhead({
    config,
    log: pinoLog(config.logLevel),
    egressAllow: [address],
    acceptProcess: true,
    ...(inspectPort === null ? {} : { inspectPort }),
  });
  closing.push(() => bulkhead.close());
  const meta: DevWorld['meta'] = async (method, path, body) => {
    const answer = await fetch(`${bulkhead.publicUrl}/v1/meta${path}`, {
      method,
      headers: { authorization: `Bearer ${metaToken}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const said = (await answer.json()) as { message?: string };
    if (!answer.ok) throw new UsageError(said.message ?? `the server answered ${answer.status}`);
    return said as never;
  };
  await meta('POST', '/apps', {
    descriptor: {
      key: appKey,
      baseUrl: `http://${address}`,
      authentication: { type: 'jwt' },
      lifecycle: { installed: '/installed' },
      scopes: GRANTED,
    },
  });
  const applicationIds: string[] = [];
  for (let number = 1; number <= applications; number++) {
    const { id } = await meta<{ id: string }>('POST', '/applications', { name: `Customer ${number}` });
    await meta('POST', `/applications/${id}/installs`, { app_key: appKey, scopes: GRANTED });
    applicationIds.push(id);
  }
  return { url: bulkhead.publicUrl, metaToken, applicationIds, meta };
}
