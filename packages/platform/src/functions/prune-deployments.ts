import { sql, type Tx } from '@bulkhead/postgres';
import type { AppEnvironment } from './deployment-store.ts';
import { PRODUCTION } from './environment-install-store.ts';

/** Kept per App and environment, whoever runs them. */
const DEPLOYMENTS_KEPT = 10;

/**
 * Forgets versions beyond the ten newest, but those that an install runs, disabled or not, and the newest that is not withdrawn. Answers how
 * many. For the system role, which sees installs of several Applications.
 */
export async function pruneDeployments(tx: Tx, { organizationId, appKey, environment }: AppEnvironment): Promise<number> {
  const which = (name: 'd' | 'n') => {
    const table = sql.identifier(name);
    return sql`${table}.organization_id = ${organizationId} and ${table}.app_key = ${appKey} and ${table}.environment = ${environment}`;
  };
  return tx.execute(sql`
    with live as (
      select n.version, n.permissions from function_deployments n where ${which('n')} and n.withdrawn_at is null
    ), running as (
      select distinct (select max(live.version) from live where live.permissions <@ coalesce(f.approved, '{}')) as version
        from applications a
        join app_installs i on i.application_id = a.application_id and i.app_key = ${appKey} and i.status <> 'uninstalled'
        left join function_installs f on f.application_id = i.application_id and f.client_key = i.client_key and f.environment = ${environment}
       where a.organization_id = ${organizationId} and a.deleted_at is null and (${environment === PRODUCTION} or f.client_key is not null)
    )
    delete from function_deployments d
     where ${which('d')}
       and d.version <= (select max(n.version) - ${DEPLOYMENTS_KEPT} from function_deployments n where ${which('n')})
       and d.version is distinct from (select max(live.version) from live)
       and not exists (select from running where running.version = d.version)`);
}
