import { randomBytes } from 'node:crypto';
import { silentLog, systemClock } from '@bulkhead/base';
import { createPlatform, EnvironmentKeys } from '@bulkhead/platform';
import { openDatabase } from '@bulkhead/postgres';

const DEFAULT_URL = 'http://127.0.0.1:8400';

/** The document a server with the default settings serves, as a file. No database is asked for it. */
export async function openApiFile(): Promise<string> {
  const nowhere = 'postgresql://nobody@127.0.0.1:1/none';
  const db = openDatabase({ appUrl: nowhere, controlUrl: nowhere, systemUrl: nowhere, log: silentLog });
  const platform = await createPlatform({
    db,
    keys: new EnvironmentKeys([randomBytes(32)]),
    clock: systemClock,
    log: silentLog,
    host: '127.0.0.1',
    publicUrl: null,
    egressAllow: [],
    trustProxy: [],
    rateLimits: { api: null, passthrough: null, oauth: null, meta: null, webtrigger: null },
  });
  try {
    const url = await platform.listen(0);
    const answer = await fetch(`${url}/v1/openapi.json`);
    return `${JSON.stringify(await answer.json(), null, 2).replaceAll(url, DEFAULT_URL)}\n`;
  } finally {
    await platform.close();
    await db.close();
  }
}
