import { bulkhead, postgresTenantStore } from '@bulkhead/app-kit';
import pg from 'pg';

/** Whose installs count, and where their tenants live. */
export const issuers = [bulkhead(process.env.BULKHEAD_URL)];

export const pool = new pg.Pool({ connectionString: process.env.DB_URL });
// A connection that the server ends while it is idle is made anew; without a listener it would end the process.
pool.on('error', (error) => console.warn('A connection to the database was lost:', error.message));
export const store = postgresTenantStore({
  appKey: 'ace-notes',
  pool,
  sealingKeys: { current: Buffer.from(process.env.APP_SEALING_KEY, 'base64') },
});
