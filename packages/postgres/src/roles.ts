import type { Log, Secret } from '@bulkhead/base';
import type { Client } from 'pg';
import { connect, type ConnectionUrl } from './connection.ts';
import { databaseErrors, fromDriver, sqlState } from './database-errors.ts';
import { ownerRole, servingRoles } from './scope.ts';
import { quoteIdentifier, quoteLiteral } from './sql.ts';

export type BulkheadRole = typeof ownerRole | (typeof servingRoles)[number];
const allRoles: readonly BulkheadRole[] = [ownerRole, ...servingRoles];

export interface EnsureRolesOptions {
  /** A login that may create roles and owns the database (or is superuser), unless the roles are there already. */
  readonly url: ConnectionUrl;
  readonly log: Log;
  /** Passwords, where each role logs in by itself; without one a role is taken on by `set role` only. */
  readonly passwords?: Readonly<Record<BulkheadRole, Secret>>;
}

const ATTEMPTS = 8;
/** Another process made the same role, or changed the same catalogue row, at the same moment. */
const isRace = (error: unknown): boolean => ['23505', '42710', 'XX000', '40P01'].includes(sqlState(error) ?? '');

/**
 * Makes sure that the four roles exist, that none may bypass anything, that this login can take them on, and that the
 * database lets them in. PostgreSQL 15 or newer. Safe to run any number of times, by several processes at once.
 * Throws `database.roles_unfit` where a role that exists is too mighty or this login may not make one.
 */
export async function ensureRoles(options: EnsureRolesOptions): Promise<void> {
  let client: Client;
  try {
    client = await connect(options.url, 'bulkhead-roles');
  } catch (error) {
    throw fromDriver(error);
  }
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await client.query('begin');
        await ensureInTransaction(client, options);
        await client.query('commit');
        return;
      } catch (error) {
        await client.query('rollback');
        if (!isRace(error) || attempt === ATTEMPTS) throw refused(error);
        options.log.debug('Another process is preparing the roles too', { attempt });
      }
    }
  } finally {
    await client.end();
  }
}

function refused(error: unknown): unknown {
  if (sqlState(error) !== '42501') return fromDriver(error);
  const problem = `this login may not prepare them (${(error as Error).message}). Use a login that may create roles and owns the database, or let an administrator create ${allRoles.join(', ')}.`;
  return databaseErrors('database.roles_unfit', { params: { problem }, cause: error });
}

interface Login {
  readonly version: number;
  readonly name: string;
  readonly isSuperuser: boolean;
  readonly database: string;
}

async function ensureInTransaction(client: Client, options: EnsureRolesOptions): Promise<void> {
  // Roles belong to the whole cluster and advisory locks to one database, so the lock alone does not exclude a race.
  await client.query(`select pg_advisory_xact_lock(hashtextextended('bulkhead:roles', 0))`);
  const answer = await client.query<Login>(
    `select current_setting('server_version_num')::int as version, current_user as name, current_database() as database,
            (select rolsuper from pg_roles where rolname = current_user) as "isSuperuser"`,
  );
  const login = answer.rows[0]!;
  if (login.version < 150_000)
    throw databaseErrors('database.roles_unfit', {
      params: { problem: `PostgreSQL ${Math.floor(login.version / 10_000)} is too old; 15 is the oldest that will do.` },
    });
  for (const role of allRoles) await ensureRole(client, role, login, options.passwords?.[role]);
  await refuseMightyRoles(client);
  await openDatabaseToRoles(client, login);
}

async function ensureRole(client: Client, role: BulkheadRole, login: Login, password: Secret | undefined): Promise<void> {
  const { rows } = await client.query<{ canBecome: boolean }>(
    `select ${login.version >= 160_000 ? `pg_has_role(current_user, oid, 'SET')` : `pg_has_role(current_user, oid, 'MEMBER')`} as "canBecome" from pg_roles where rolname = $1`,
    [role],
  );
  if (rows[0] === undefined) {
    const logsIn = password === undefined ? 'nologin' : `login password ${quoteLiteral(password.reveal())}`;
    await client.query(`create role ${role} ${logsIn} nocreatedb nocreaterole noinherit`);
  }
  if (login.isSuperuser || rows[0]?.canBecome) return;
  // Without `inherit false` the login would carry the rights of all four roles at all times.
  await client.query(`grant ${role} to ${quoteIdentifier(login.name)}${login.version >= 160_000 ? ' with inherit false, set true' : ''}`);
}

async function refuseMightyRoles(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select rolname as name from pg_roles
      where rolname = any($1) and (rolsuper or rolbypassrls or rolcreaterole or rolreplication or rolcreatedb)`,
    [allRoles],
  );
  if (rows.length > 0) {
    const problem = `${rows.map((row) => row.name).join(', ')} may bypass row-level security or make roles and databases. Take SUPERUSER, BYPASSRLS, CREATEROLE, CREATEDB and REPLICATION away.`;
    throw databaseErrors('database.roles_unfit', { params: { problem } });
  }
}

async function openDatabaseToRoles(client: Client, login: Login): Promise<void> {
  if (await isOpenToRoles(client)) return;
  const database = quoteIdentifier(login.database);
  const serving = servingRoles.join(', ');
  await client.query(`revoke all on database ${database} from public`);
  await client.query(`grant create, connect, temporary on database ${database} to ${ownerRole}`);
  await client.query(`grant connect on database ${database} to ${serving}`);
  await asSchemaOwner(client, async () => {
    await client.query('revoke all on schema public from public');
    await client.query(`grant usage, create on schema public to ${ownerRole}`);
    await client.query(`grant usage on schema public to ${serving}`);
  });
  if (await isOpenToRoles(client)) return;
  // PostgreSQL answers a grant that it does not carry out with a warning only.
  const problem = `this login could not let them into the schema public of ${login.database}. Use a login that owns the database.`;
  throw databaseErrors('database.roles_unfit', { params: { problem } });
}

/** The schema belongs to whoever owns the database; a login that inherits nothing must take that on by name. */
async function asSchemaOwner(client: Client, work: () => Promise<void>): Promise<void> {
  const { rows } = await client.query<{ role: string }>(
    `select nspowner::regrole::text as role from pg_namespace
      where nspname = 'public' and nspowner <> (select oid from pg_roles where rolname = current_user) and pg_has_role(current_user, nspowner, 'MEMBER')`,
  );
  const role = rows[0]?.role;
  if (role !== undefined) await client.query(`set local role ${role}`);
  await work();
  if (role !== undefined) await client.query('reset role');
}

async function isOpenToRoles(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ ready: boolean }>(
    `select has_schema_privilege($1, 'public', 'create') and has_database_privilege($1, current_database(), 'create')
            and not has_schema_privilege('public', 'public', 'usage')
            and (select bool_and(has_schema_privilege(role, 'public', 'usage') and has_database_privilege(role, current_database(), 'connect')) from unnest($2::text[]) role) as ready`,
    [ownerRole, servingRoles],
  );
  return rows[0]?.ready ?? false;
}
