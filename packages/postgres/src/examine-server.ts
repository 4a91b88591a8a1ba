import { connect, type ConnectionUrl } from './connection.ts';

export type ExaminedServer =
  | { readonly kind: 'answers'; readonly version: string; readonly versionNumber: number; readonly mayCreateRoles: boolean }
  /** As the driver, or the server, says it: nothing of the password. */
  | { readonly kind: 'silent'; readonly reason: string };

const ANSWER_MS = 5_000;

/** What a PostgreSQL server says of itself to this login. Never rejects. */
export async function examineServer(url: ConnectionUrl): Promise<ExaminedServer> {
  try {
    const client = await connect(url, 'bulkhead-doctor', ANSWER_MS);
    try {
      const { rows } = await client.query<{ version: string; number: string; roles: boolean }>(
        `select current_setting('server_version') as version, current_setting('server_version_num') as number, rolsuper or rolcreaterole as roles
           from pg_roles where rolname = current_user`,
      );
      const { version = '', number = '0', roles = false } = rows[0] ?? {};
      return { kind: 'answers', version, versionNumber: Number(number), mayCreateRoles: roles };
    } finally {
      await client.end();
    }
  } catch (thrown) {
    return { kind: 'silent', reason: thrown instanceof Error ? thrown.message : 'no answer' };
  }
}
