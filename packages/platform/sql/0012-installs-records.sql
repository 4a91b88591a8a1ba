-- What an App keeps at its host about one install in records: collections of JSON, each record with a version. Beside them, what all of them
-- take, so that a limit is known without counting, and the last version given: none is given twice, so a record that was deleted and made
-- anew is not taken for the one before.
create table app_record_usage (
  application_id text not null,
  client_key     text not null,
  records        int not null default 0 check (records >= 0),
  bytes          bigint not null default 0 check (bytes >= 0),
  last_version   bigint not null default 0,
  primary key (application_id, client_key),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
select bulkhead_tenant_table('app_record_usage');

-- Names are in clear, to be found by; the values are sealed. Compared byte by byte, so that a prefix is a stretch of the index.
create table app_records (
  application_id text not null,
  client_key     text not null,
  collection     text collate "C" not null,
  record_key     text collate "C" not null,
  version        bigint not null,
  -- Of the value as JSON.
  value_bytes    int not null,
  value_sealed   bytea not null,
  created_at     timestamptz not null,
  modified_at    timestamptz not null,
  primary key (application_id, client_key, collection, record_key),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
select bulkhead_tenant_table('app_records');

-- As of app_properties: within the Application, only the install that the transaction has entered.
create policy install on app_record_usage as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));
create policy install on app_records as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));
