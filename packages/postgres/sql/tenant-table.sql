-- Run before every migration run, as bulkhead_owner; each statement replaces what was there.
-- A migration creates a table and then says which kind it is:
--   select bulkhead_tenant_table('accounts');   -- rows of Applications, behind row-level security
--   select bulkhead_control_table('sessions');  -- no tenant data

alter default privileges for role bulkhead_owner revoke all on tables from public;
alter default privileges for role bulkhead_owner revoke all on sequences from public;
alter default privileges for role bulkhead_owner revoke execute on functions from public;

-- What every key of a tenant table must begin with, and does not: one line per offence.
create or replace function bulkhead_tenant_key_offences(tenant_table regclass) returns setof text
language sql stable set search_path = pg_catalog, pg_temp as $$
  with tenant as (
    select attnum, attnotnull from pg_attribute where attrelid = tenant_table and attname = 'application_id' and not attisdropped
  )
  select 'has no column application_id' where not exists (select from tenant)
  union all
  select 'lets application_id be null' from tenant where not attnotnull
  union all
  select 'has no primary key' where not exists (select from pg_index where indrelid = tenant_table and indisprimary)
  union all
  select format('has the unique index %s that does not begin with application_id', relname)
    from pg_index join pg_class on pg_class.oid = indexrelid
   where indrelid = tenant_table and (indisunique or indisexclusion) and indkey[0] is distinct from (select attnum from tenant)
  union all
  select format('has the foreign key %s that does not begin with application_id on both sides', conname)
    from pg_constraint
    join pg_attribute target on target.attrelid = confrelid and target.attname = 'application_id' and not target.attisdropped
   where conrelid = tenant_table and contype = 'f'
     and (conkey[1] is distinct from (select attnum from tenant) or confkey[1] <> target.attnum)
$$;

create or replace function bulkhead_tenant_table(tenant_table regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  offence text;
  owned_sequence regclass;
begin
  for offence in select * from public.bulkhead_tenant_key_offences(tenant_table) loop
    raise exception 'tenant table % %', tenant_table, offence;
  end loop;

  execute format('alter table %s enable row level security', tenant_table);
  execute format('alter table %s force row level security', tenant_table);
  execute format('drop policy if exists tenant on %s', tenant_table);
  -- The sub-select is evaluated once per statement, the bare call once per row.
  execute format(
    'create policy tenant on %s to bulkhead_app
       using (application_id = (select current_setting(''bulkhead.application_id'')))
       with check (application_id = (select current_setting(''bulkhead.application_id'')))', tenant_table);
  execute format('drop policy if exists system on %s', tenant_table);
  execute format('create policy system on %s to bulkhead_system using (true) with check (true)', tenant_table);

  execute format('revoke all on %s from public', tenant_table);
  execute format('grant select, insert, update, delete on %s to bulkhead_app, bulkhead_system', tenant_table);
  for owned_sequence in
    select objid from pg_depend
     where classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass and refobjid = tenant_table and deptype = 'a'
       and exists (select from pg_class where oid = objid and relkind = 'S')
  loop
    execute format('grant usage on sequence %s to bulkhead_app, bulkhead_system', owned_sequence);
  end loop;
end
$$;

create or replace function bulkhead_control_table(control_table regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owned_sequence regclass;
begin
  execute format('revoke all on %s from public', control_table);
  execute format('grant select, insert, update, delete on %s to bulkhead_control, bulkhead_system', control_table);
  for owned_sequence in
    select objid from pg_depend
     where classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass and refobjid = control_table and deptype = 'a'
       and exists (select from pg_class where oid = objid and relkind = 'S')
  loop
    execute format('grant usage on sequence %s to bulkhead_control, bulkhead_system', owned_sequence);
  end loop;
end
$$;

revoke all on function bulkhead_tenant_key_offences(regclass), bulkhead_tenant_table(regclass), bulkhead_control_table(regclass) from public;

-- Row trigger `tell_change` of the tables whose rows processes remember (`Database.recall`): tells every process which Application has
-- changed once it has, and the transaction itself that something has. Both in one statement, once per row that was changed.
create or replace function bulkhead_tell_change() returns trigger language plpgsql as $$
begin
  perform pg_catalog.pg_notify('bulkhead_changes', coalesce(old.application_id, new.application_id)),
          pg_catalog.set_config('bulkhead.changed', 'yes', true);
  return null;
end $$;
