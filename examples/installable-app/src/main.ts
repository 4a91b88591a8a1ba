import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { bulkhead, Secret, sqliteTenantStore } from '@bulkhead/app-kit';
import { createIssueNotes } from './issue-notes.ts';

/** A variable that must be set. */
function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set. See README.md.`);
  return value;
}

const port = Number(process.env['PORT'] ?? 3400);
const { kit, listener } = createIssueNotes({
  baseUrl: setting('APP_BASE_URL'),
  issuers: [bulkhead(setting('BULKHEAD_URL'))],
  store: sqliteTenantStore({
    appKey: 'issue-notes',
    database: new DatabaseSync(process.env['APP_DATABASE'] ?? 'issue-notes.sqlite'),
    sealingKeys: { current: Buffer.from(setting('APP_SEALING_KEY'), 'base64') },
  }),
  sessionSecret: new Secret(setting('APP_SESSION_SECRET')),
});
const purging = setInterval(() => void kit.purge(), 86_400_000);
const server = createServer(listener).listen(port, () => console.log(`issue-notes: ${setting('APP_BASE_URL')}/atlassian-connect.json`));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    clearInterval(purging);
    server.close();
  });
