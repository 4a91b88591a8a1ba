import { bulkhead, postgresTenantStore } from '@bulkhead/app-kit';
import pg from 'pg';

/** Whose installs count, and where their tenants live. */
export const issuers = [bulkhead(process.env.BULKHEAD_URL)];

export const pool = new pg.Pool({ connectionString: process.env.DB_URL });
export const store = postgresTenantStore({
  appKey: 'ace-notes',
  pool,
  sealingKeys: { current: Buffer.from(process.env.APP_SEALING_KEY, 'base64') },
});
