import { readFileSync } from 'node:fs';
import { AceAddon, defineDescriptor, Secret } from '@bulkhead/app-kit';
import express from 'express';
import { routes } from './routes.js';
import { issuers, pool, store } from './store.js';

const app = express();
const descriptor = JSON.parse(readFileSync(new URL('atlassian-connect.json', import.meta.url), 'utf8'));
const addon = new AceAddon({
  descriptor: defineDescriptor({ ...descriptor, baseUrl: process.env.AC_LOCAL_BASE_URL }),
  issuers,
  store,
  sessionSecret: new Secret(process.env.APP_SESSION_SECRET),
});

app.use(addon.middleware());
app.use(express.json());
app.use(express.urlencoded({ extended: false }));

routes(app, addon);

const purging = setInterval(() => void addon.kit.purge(), 86_400_000);
const server = app.listen(Number(process.env.PORT), '127.0.0.1', () => console.log(`listening at ${process.env.AC_LOCAL_BASE_URL}`));
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    clearInterval(purging);
    server.close(() => void pool.end());
  });
