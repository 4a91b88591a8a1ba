const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * The statements that make schema `app_kit`, for whoever owns the database; they may run again. `servingRole` is the role that the App
 * serves with: it owns nothing and must not bypass row-level security.
 */
export function postgresSchema({ servingRole }: { readonly servingRole: string }): string {
  assertIdentifier(servingRole);
  return `
create schema if not exists app_kit;
create table if not exists app_kit.tenants (
  app_key text not null, client_key text not null, issuer text not null, base_url text not null,
  state text not null check (state in ('installed', 'uninstalled')), enabled integer not null, sealed_secrets bytea not null,
  details text not null, lifecycle_iat bigint not null, enabled_iat bigint not null, installed_at bigint not null,
  uninstalled_at bigint, purge_after bigint,
  primary key (app_key, client_key));
create table if not exists app_kit.records (
  app_key text not null, client_key text not null, key text collate "C" not null, value text not null,
  primary key (app_key, client_key, key),
  foreign key (app_key, client_key) references app_kit.tenants on delete cascade);
create table if not exists app_kit.spent_tokens (
  app_key text not null, client_key text not null, digest text not null, expires_at bigint not null,
  primary key (app_key, client_key, digest));
${['tenants', 'records', 'spent_tokens'].map((table) => tenantPolicy(`app_kit.${table}`)).join('\n')}
drop policy if exists purge on app_kit.tenants;
create policy purge on app_kit.tenants using (app_key = current_setting('app_kit.app_key', true)
  and purge_after <= nullif(current_setting('app_kit.purge_before', true), '')::bigint) with check (false);
drop policy if exists purge on app_kit.spent_tokens;
create policy purge on app_kit.spent_tokens using (app_key = current_setting('app_kit.app_key', true)
  and expires_at <= nullif(current_setting('app_kit.purge_before', true), '')::bigint) with check (false);
create or replace function app_kit.scope(app text, client text) returns void language sql
  as $$ select set_config('app_kit.app_key', app, true), set_config('app_kit.client_key', client, true), set_config('app_kit.purge_before', '', true) $$;
-- A transaction of its own, in one call: what scope() does beyond this only a purge has set before.
create or replace function app_kit.find_tenant(app text, client text) returns setof app_kit.tenants language plpgsql as $$
begin
  perform set_config('app_kit.app_key', app, true), set_config('app_kit.client_key', client, true);
  return query select * from app_kit.tenants where app_key = app and client_key = client;
end $$;
create or replace function app_kit.spend_token(app text, client text, token text, until bigint, now bigint) returns boolean language plpgsql as $$
begin
  perform app_kit.scope(app, client);
  delete from app_kit.spent_tokens s where s.app_key = app and s.client_key = client and s.digest in (
    select o.digest from app_kit.spent_tokens o where o.app_key = app and o.client_key = client and o.expires_at <= now
     limit 20 for update skip locked);
  insert into app_kit.spent_tokens (app_key, client_key, digest, expires_at) values (app, client, token, until) on conflict do nothing;
  return found;
end $$;
grant usage on schema app_kit to ${servingRole};
grant select, insert, update, delete on app_kit.tenants, app_kit.records, app_kit.spent_tokens to ${servingRole};
revoke execute on all functions in schema app_kit from public;
grant execute on all functions in schema app_kit to ${servingRole};
`;
}

/**
 * The statements that bring a table of the App's own under the tenant of `withTenant`. It must have the columns `app_key` and
 * `client_key`; reference `app_kit.tenants (app_key, client_key) on delete cascade`, and it is purged with its tenant.
 */
export function tenantPolicy(table: string): string {
  for (const part of table.split('.')) assertIdentifier(part);
  const mine = `app_key = current_setting('app_kit.app_key', true) and client_key = current_setting('app_kit.client_key', true)`;
  return `alter table ${table} enable row level security;
alter table ${table} force row level security;
drop policy if exists tenant on ${table};
create policy tenant on ${table} using (${mine}) with check (${mine});`;
}

function assertIdentifier(name: string): void {
  if (!IDENTIFIER.test(name)) throw new RangeError('a name has lower-case letters, digits and _');
}
