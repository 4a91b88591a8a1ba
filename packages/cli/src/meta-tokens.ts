import { type Clock, systemClock } from '@bulkhead/base';
import { appendOrganizationAudit, deleteMetaToken, issueMetaToken, listMetaTokens, META_SCOPES, type MetaToken } from '@bulkhead/platform';
import { checkedName } from './checked-name.ts';
import { parseDuration } from './duration.ts';
import { onDatabase } from './on-database.ts';
import { chosenOrganization } from './organizations.ts';
import { OPERATOR, printJson } from './print.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface InOrganization {
  /** Id; the first organization where absent. */
  readonly organization?: string;
  readonly json?: true;
}

export interface CreateOptions extends InOrganization {
  readonly name: string;
  readonly scopes?: string;
  readonly expiresIn?: string;
}

export async function createToken(options: CreateOptions): Promise<void> {
  const clock: Clock = systemClock;
  const now = new Date(clock.now());
  const name = checkedName(options.name);
  const scopes = options.scopes === undefined ? META_SCOPES : checkedScopes(options.scopes);
  const expiresAt =
    options.expiresIn === undefined ? null : new Date(now.getTime() + parseDuration(options.expiresIn, '--expires-in') * 1_000);
  const { metaToken, secret } = await onDatabase((db) =>
    db.withControl('meta-tokens create', async (tx) => {
      const organizationId = await chosenOrganization(tx, options.organization);
      const issued = await issueMetaToken(tx, { organizationId, name, scopes, expiresAt, now });
      await appendOrganizationAudit(tx, {
        organizationId,
        actor: OPERATOR,
        action: 'meta_token.issued',
        at: now,
        target: issued.metaToken.metaTokenId,
        detail: { name, scopes },
      });
      return issued;
    }),
  );
  if (options.json) return printJson({ ...wire(metaToken), token: secret.reveal() });
  // The token alone on standard output, so that it goes straight into a variable.
  process.stderr.write(
    `Meta token "${name}" (${metaToken.metaTokenId}) is made. Its text goes to standard output this once; only its hash is kept.\n`,
  );
  process.stdout.write(`${secret.reveal()}\n`);
}

export async function listTokens(options: InOrganization): Promise<void> {
  const tokens = await onDatabase((db) =>
    db.withControl('meta-tokens list', async (tx) => listMetaTokens(tx, await chosenOrganization(tx, options.organization))),
  );
  if (options.json) return printJson(tokens.map(wire));
  const rows = tokens.map((token) => [
    token.metaTokenId,
    token.name,
    token.shortened,
    token.scopes.join(' '),
    minute(token.createdAt),
    minute(token.lastUsedAt),
    minute(token.expiresAt),
  ]);
  process.stdout.write(
    rows.length === 0 ? 'There is no Meta token.\n' : table(['ID', 'NAME', 'TOKEN', 'SCOPES', 'CREATED', 'LAST USED', 'EXPIRES'], rows),
  );
}

export async function revokeToken(id: string, options: InOrganization): Promise<void> {
  const revoked = await onDatabase((db) =>
    db.withControl('meta-tokens revoke', async (tx) => {
      const organizationId = await chosenOrganization(tx, options.organization);
      if (!(await deleteMetaToken(tx, organizationId, id))) return false;
      await appendOrganizationAudit(tx, {
        organizationId,
        actor: OPERATOR,
        action: 'meta_token.revoked',
        at: new Date(systemClock.now()),
        target: id,
      });
      return true;
    }),
  );
  if (options.json) printJson({ id, revoked });
  else if (revoked) process.stdout.write(`Revoked ${id}. Whoever calls with it is answered 401 from now on.\n`);
  if (revoked) return;
  if (!options.json) process.stderr.write(`There is no Meta token with the id "${id}". "npx bulkhead meta-tokens list" shows the ids.\n`);
  process.exitCode = 1;
}

function checkedScopes(text: string): readonly string[] {
  const scopes = text.split(/[\s,]+/).filter((scope) => scope !== '');
  const unknown = scopes.find((scope) => !META_SCOPES.some((known) => known === scope));
  if (unknown !== undefined) throw new UsageError(`--scopes: "${unknown}" is not one. There are: ${META_SCOPES.join(', ')}.`);
  if (scopes.length === 0) throw new UsageError(`--scopes: expected at least one of ${META_SCOPES.join(', ')}.`);
  return [...new Set(scopes)];
}

function wire(token: MetaToken) {
  return {
    id: token.metaTokenId,
    name: token.name,
    shortened: token.shortened,
    scopes: token.scopes,
    created: token.createdAt.toISOString(),
    last_used: token.lastUsedAt?.toISOString() ?? null,
    expires: token.expiresAt?.toISOString() ?? null,
  };
}

function minute(moment: Date | null): string {
  return moment === null ? 'never' : moment.toISOString().slice(0, 16).replace('T', ' ');
}
