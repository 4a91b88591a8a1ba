import { aceSettings, importAceSettings, postgresSchema } from '@bulkhead/app-kit';
import pg from 'pg';
import { issuers, pool, store } from './store.js';

// As the owner of the database; the App itself serves as a role that owns nothing.
const owner = new pg.Pool({ connectionString: process.env.OWNER_DB_URL, max: 1 });
await owner.query(postgresSchema({ servingRole: process.env.SERVING_ROLE }));
const report = await importAceSettings({ rows: aceSettings(owner), store, issuers });
console.log(JSON.stringify(report));
await Promise.all([owner.end(), pool.end()]);
