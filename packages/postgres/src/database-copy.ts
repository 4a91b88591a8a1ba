import { connect, type ConnectionUrl } from './connection.ts';
import { ownerRole, servingRoles } from './scope.ts';
import { quoteIdentifier, quoteLiteral } from './sql.ts';

export interface CreateDatabaseOptions {
  /** A login that may create databases. */
  readonly adminUrl: ConnectionUrl;
  readonly name: string;
  /** A database nobody is connected to, whose roles were ensured. */
  readonly template: string;
  /** Puts whoever is connected to the template out first, and lets nobody in while it is copied. Default: the copy is refused then. */
  readonly disconnect?: boolean;
}

/** A copy of `template`, let open to the roles as `ensureRoles` does (rights on a database are not copied). Tests live on it. */
export async function createDatabaseFrom(options: CreateDatabaseOptions): Promise<void> {
  const name = quoteIdentifier(options.name);
  const client = await connect(options.adminUrl, 'bulkhead-admin');
  try {
    const template = quoteIdentifier(options.template);
    if (options.disconnect === true) {
      await client.query(`alter database ${template} allow_connections false`);
      await client.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1', [options.template]);
    }
    try {
      await client.query(`create database ${name} template ${template}`);
    } finally {
      if (options.disconnect === true) await client.query(`alter database ${template} allow_connections true`);
    }
    await client.query(`alter database ${name} allow_connections true`);
    await client.query(
      `revoke all on database ${name} from public; grant create, connect, temporary on database ${name} to ${ownerRole}; grant connect on database ${name} to ${servingRoles.join(', ')}`,
    );
  } finally {
    await client.end();
  }
}

/** An empty database. Tests live in it. */
export async function createDatabase(options: { readonly adminUrl: ConnectionUrl; readonly name: string }): Promise<void> {
  const client = await connect(options.adminUrl, 'bulkhead-admin');
  try {
    await client.query(`create database ${quoteIdentifier(options.name)}`);
  } finally {
    await client.end();
  }
}

/**
 * A database and a login of the same name that owns it, as the guide for operators makes them: no superuser, may create
 * roles, carries no right of the four roles unless it takes one on. Tests live on it.
 */
export async function createOperatorDatabase(options: {
  readonly adminUrl: ConnectionUrl;
  readonly name: string;
  readonly password: string;
}): Promise<{ drop(): Promise<void> }> {
  const { adminUrl } = options;
  const name = quoteIdentifier(options.name);
  const statements = async (texts: readonly string[]) => {
    const client = await connect(adminUrl, 'bulkhead-admin');
    try {
      for (const text of texts) await client.query(text);
    } finally {
      await client.end();
    }
  };
  await statements([
    `create role ${name} login createrole noinherit password ${quoteLiteral(options.password)}`,
    `grant ${[ownerRole, ...servingRoles].join(', ')} to ${name}`,
    `create database ${name} owner ${name}`,
  ]);
  return { drop: () => statements([`drop database if exists ${name} with (force)`, `drop role ${name}`]) };
}

/** Whether a server (or a pooler before it) lets this login in by now. */
export async function pingServer(url: ConnectionUrl): Promise<boolean> {
  try {
    const client = await connect(url, 'bulkhead-admin', 2_000);
    await client.end();
    return true;
  } catch {
    return false;
  }
}

/** Drops a database with whoever is connected to it; one that is gone already is no error. */
export async function dropDatabase(options: { readonly adminUrl: ConnectionUrl; readonly name: string }): Promise<void> {
  const client = await connect(options.adminUrl, 'bulkhead-admin');
  try {
    await client.query(`drop database if exists ${quoteIdentifier(options.name)} with (force)`);
  } finally {
    await client.end();
  }
}
