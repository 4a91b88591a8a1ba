-- What functions keep: a store per install and environment, its values, and entries by which values of entities are found.

-- In place of the table before, which had neither conditions nor an end of a value; no release has it.
drop table function_storage;

-- One store of an install and environment is in use. With an uninstall it is kept: no function sees it any more, an operator may put it back.
create table function_stores (
  application_id    text not null,
  client_key        text not null,
  store_id          text not null,
  environment       text not null,
  -- What its values take, so that a limit is known without counting; and the last version given: none is given twice.
  value_count       int not null default 0 check (value_count >= 0),
  value_bytes       bigint not null default 0 check (value_bytes >= 0),
  last_version      bigint not null default 0,
  -- Under which the partitions of entries are digests.
  digest_key_sealed bytea not null,
  created_at        timestamptz not null,
  -- Null: in use.
  kept_since        timestamptz,
  primary key (application_id, client_key, store_id),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
create unique index function_stores_in_use on function_stores (application_id, client_key, environment) where kept_since is null;
create index function_stores_by_end on function_stores (kept_since) where kept_since is not null;
select bulkhead_tenant_table('function_stores');

-- Keys are in clear and compared byte by byte; the values are sealed.
create table function_values (
  application_id text not null,
  client_key     text not null,
  store_id       text not null,
  -- `key`, `secret` or `entity:NAME`.
  collection     text collate "C" not null,
  value_key      text collate "C" not null,
  version        bigint not null,
  -- Of the value as JSON.
  value_bytes    int not null,
  value_sealed   bytea not null,
  created_at     timestamptz not null,
  modified_at    timestamptz not null,
  -- From then on it is not there; the row goes a little later.
  expires_at     timestamptz,
  primary key (application_id, client_key, store_id, collection, value_key),
  foreign key (application_id, client_key, store_id) references function_stores on delete cascade
);
create index function_values_by_end on function_values (expires_at) where expires_at is not null;
select bulkhead_tenant_table('function_values');

-- Indexes that are built, by a digest of what they are over: two versions of the code may declare one name in two ways.
create table function_indexes (
  application_id text not null,
  client_key     text not null,
  store_id       text not null,
  index_id       text not null,
  collection     text collate "C" not null,
  -- {"partition": [attribute], "range": attribute or null, "types": {attribute: type}}
  definition     jsonb not null,
  created_at     timestamptz not null,
  primary key (application_id, client_key, store_id, index_id),
  foreign key (application_id, client_key, store_id) references function_stores on delete cascade
);
select bulkhead_tenant_table('function_indexes');

-- The range is in clear, as bytes in order; the partition is a keyed digest.
create table function_index_entries (
  application_id   text not null,
  client_key       text not null,
  store_id         text not null,
  index_id         text not null,
  partition_digest bytea not null,
  range_bytes      bytea not null,
  collection       text collate "C" not null,
  value_key        text collate "C" not null,
  primary key (application_id, client_key, store_id, index_id, partition_digest, range_bytes, value_key),
  foreign key (application_id, client_key, store_id, index_id) references function_indexes on delete cascade,
  foreign key (application_id, client_key, store_id, collection, value_key) references function_values on delete cascade
);
create index function_index_entries_of_value on function_index_entries (application_id, client_key, store_id, collection, value_key);
select bulkhead_tenant_table('function_index_entries');

-- Within the Application, only the install that the transaction has entered.
create policy install on function_stores as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));
create policy install on function_values as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));
create policy install on function_indexes as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));
create policy install on function_index_entries as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));

-- With the uninstall, by whatever statement, and in its transaction: what was kept is out of use. Runs as whoever uninstalls, and enters the
-- install for this one statement.
create function bulkhead_keep_function_stores() returns trigger language plpgsql as $$
declare
  entered text := coalesce(current_setting('bulkhead.client_key', true), '');
begin
  perform set_config('bulkhead.client_key', new.client_key, true);
  update function_stores set kept_since = new.modified_at
   where application_id = new.application_id and client_key = new.client_key and kept_since is null;
  perform set_config('bulkhead.client_key', entered, true);
  return null;
end $$;
create trigger keep_function_stores after update of status on app_installs
  for each row when (old.status <> 'uninstalled' and new.status = 'uninstalled')
  execute function bulkhead_keep_function_stores();
