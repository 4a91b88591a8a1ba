import type { ApplicationId } from '@bulkhead/base';
import { type Sql, sql } from '@bulkhead/postgres';
import { PRODUCTION } from '../environment-install-store.ts';

/** An enabled install in an environment. */
export interface InstallPlace {
  readonly applicationId: ApplicationId;
  readonly clientKey: string;
  readonly environment: string;
}

/**
 * For the system role: `i`, enabled installs of Applications that are on; `e`, each environment such an install is in; `r`, the version that runs for
 * it there, as `findRunning` has it, with nothing where none does. A `where` follows.
 */
export const installsAndVersions: Sql = sql`
  app_installs i
  join applications a on a.application_id = i.application_id and a.active and a.deleted_at is null
  join function_environments e on e.organization_id = a.organization_id and e.app_key = i.app_key
  left join function_installs m on m.application_id = i.application_id and m.client_key = i.client_key and m.environment = e.environment
  left join lateral (
    select d.version, d.manifest from function_deployments d
     where d.organization_id = e.organization_id and d.app_key = e.app_key and d.environment = e.environment
       and d.withdrawn_at is null and d.permissions <@ coalesce(m.approved, '{}')
     order by d.version desc limit 1) r on true`;

/** What goes with it. */
export const isInEnvironment: Sql = sql`i.status = 'enabled' and (m.client_key is not null or e.environment = ${PRODUCTION})`;
