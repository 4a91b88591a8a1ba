-- Which version of an App's functions runs for which install: environments, permissions that were approved, variables.

-- An environment of an App: something was deployed to it or set for it.
create table function_environments (
  organization_id    text not null,
  app_key            text not null,
  environment        text not null,
  -- Another one with each change of a variable: an instance that was started under the one before takes no more calls.
  variables_revision text not null default '',
  created_at         timestamptz not null,
  primary key (organization_id, app_key, environment),
  foreign key (organization_id, app_key) references apps on delete cascade
);
select bulkhead_control_table('function_environments');
insert into function_environments (organization_id, app_key, environment, created_at)
select organization_id, app_key, environment, min(created_at) from function_deployments group by 1, 2, 3;

-- What runs for an install is the newest version that is not withdrawn and requests nothing that was not approved for it.
alter table function_deployments
  -- What the manifest requests, sorted: fetch:HOST, scope:SCOPE.
  add column permissions  text[] not null default '{}',
  -- Rolled back behind it: it runs for nobody until it is named again.
  add column withdrawn_at timestamptz,
  add foreign key (organization_id, app_key, environment) references function_environments on delete cascade;
update function_deployments set permissions = array(
  select distinct 'fetch:' || host collate "C" from jsonb_array_elements_text(manifest #> '{permissions,external,fetch,backend}') as host order by 1);
alter table function_deployments alter column permissions drop default;

-- An install in an environment, and what was approved for it there. In production every install is, with or without a row.
create table function_installs (
  application_id     text not null,
  client_key         text not null,
  environment        text not null,
  approved           text[] not null,
  variables_revision text not null default '',
  joined_at          timestamptz not null,
  modified_at        timestamptz not null,
  primary key (application_id, client_key, environment),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
select bulkhead_tenant_table('function_installs');

-- What was approved ends with the install: whoever installs it again approves again. What still runs for it speaks for nobody, also
-- when it is installed again at once.
create function bulkhead_leave_environments() returns trigger language plpgsql as $$
begin
  update public.function_invocations set expires_at = started_at
   where application_id = new.application_id and client_key = new.client_key and ended_at is null;
  delete from public.function_installs where application_id = new.application_id and client_key = new.client_key;
  return null;
end $$;
create trigger leave_environments after update of status on app_installs for each row
  when (new.status = 'uninstalled' and old.status <> 'uninstalled') execute function bulkhead_leave_environments();

-- What an organization sets for all installs of an App in an environment. Sealed under the root key, like whatever belongs to no Application.
create table function_variables (
  organization_id text not null,
  app_key         text not null,
  environment     text not null,
  name            text not null,
  secret          boolean not null,
  value_sealed    bytea not null,
  modified_at     timestamptz not null,
  primary key (organization_id, app_key, environment, name),
  foreign key (organization_id, app_key, environment) references function_environments on delete cascade
);
select bulkhead_control_table('function_variables');

-- What it sets for one install instead. Sealed under the Application's key, and behind the second wall.
create table function_install_variables (
  application_id text not null,
  client_key     text not null,
  environment    text not null,
  name           text not null,
  secret         boolean not null,
  value_sealed   bytea not null,
  modified_at    timestamptz not null,
  primary key (application_id, client_key, environment, name),
  foreign key (application_id, client_key, environment) references function_installs on delete cascade
);
select bulkhead_tenant_table('function_install_variables');
create policy install on function_install_variables as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));
