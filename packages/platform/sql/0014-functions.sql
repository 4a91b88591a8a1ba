-- Functions of Apps: what an organization has deployed, and what is of one install.

-- Found by the App and not by a tenant, like the App itself. The newest of an environment is the one that runs.
create table function_deployments (
  organization_id text not null,
  app_key         text not null,
  environment     text not null,
  version         integer not null,
  -- bulkhead.yml, as it was read.
  manifest        jsonb not null,
  code            text not null,
  code_sha256     text not null,
  created_at      timestamptz not null,
  primary key (organization_id, app_key, environment, version),
  foreign key (organization_id, app_key) references apps on delete cascade
);
select bulkhead_control_table('function_deployments');

-- One row per call. While it runs its token counts, for this install only.
create table function_invocations (
  application_id  text not null,
  invocation_id   text not null,
  client_key      text not null,
  environment     text not null,
  organization_id text not null,
  version         integer not null,
  function_key    text not null,
  token_hash      bytea not null,
  egress_hosts    text[] not null,
  started_at      timestamptz not null,
  expires_at      timestamptz not null,
  ended_at        timestamptz,
  outcome         text,
  duration_ms     integer,
  -- What it wrote, as JSON. Sealed: it may hold anything of the customer's.
  logs_sealed     bytea,
  logs_dropped    integer,
  -- Counts what has ended, per install and environment: the order in which logs are read.
  ordinal         bigint,
  primary key (application_id, invocation_id),
  unique (application_id, token_hash),
  foreign key (application_id, client_key) references app_installs on delete cascade,
  check ((ended_at is null) = (ordinal is null))
);
create index function_invocations_in_order on function_invocations (application_id, client_key, environment, ordinal);
create index function_invocations_by_start on function_invocations (started_at);
select bulkhead_tenant_table('function_invocations');

-- What functions keep, per install and environment. Sealed, and behind the second wall.
create table function_storage (
  application_id text not null,
  client_key     text not null,
  environment    text not null,
  storage_key    text not null,
  value_sealed   bytea not null,
  created_at     timestamptz not null,
  modified_at    timestamptz not null,
  primary key (application_id, client_key, environment, storage_key),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
select bulkhead_tenant_table('function_storage');
create policy install on function_storage as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));
