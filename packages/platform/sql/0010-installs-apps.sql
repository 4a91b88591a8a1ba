-- Apps that an organization has registered, and their installs into its Applications.

-- Found without a tenant: the organization chooses from these what to install. Replaced when registered again.
create table apps (
  organization_id text not null references organizations on delete cascade,
  app_key         text not null,
  name            text not null,
  base_url        text not null,
  descriptor      jsonb not null,
  -- Null: the descriptor was given, not fetched.
  descriptor_url  text,
  created_at      timestamptz not null,
  modified_at     timestamptz not null,
  primary key (organization_id, app_key)
);
select bulkhead_control_table('apps');

-- What signs `installed` and `uninstalled` (RS256). The newest that is not retired signs; the public half of a retired one is shown on.
create table install_keys (
  kid                text primary key,
  public_key         text not null,
  private_key_sealed bytea not null,
  created_at         timestamptz not null,
  retired_at         timestamptz
);
select bulkhead_control_table('install_keys');

-- One row per App and Application, also of one that is uninstalled: its clientKey stays. base_url, descriptor and scopes are those that
-- the App had when it last accepted; so is the secret. The pending secret counts beside it while handshake_until is ahead.
create table app_installs (
  application_id        text not null references applications on delete cascade,
  client_key            text not null,
  app_key               text not null,
  status                text not null check (status in ('enabled', 'disabled', 'uninstalled')),
  base_url              text,
  descriptor            jsonb,
  scopes                text[] not null default '{}',
  secret_sealed         bytea,
  pending_secret_sealed bytea,
  handshake_id             text,
  handshake_until          timestamptz,
  -- How often the App has accepted, and how often it was enabled, disabled or uninstalled since: what was to be told of a state that is
  -- over is not told any more.
  generation            bigint not null default 0,
  created_at            timestamptz not null,
  modified_at           timestamptz not null,
  installed_at          timestamptz,
  uninstalled_at        timestamptz,
  primary key (application_id, client_key),
  unique (application_id, app_key),
  check ((handshake_id is null) = (handshake_until is null)),
  check (handshake_id is not null or pending_secret_sealed is null),
  check (status = 'uninstalled' or (installed_at is not null and base_url is not null and descriptor is not null))
);
create index app_installs_by_end on app_installs (uninstalled_at) where uninstalled_at is not null;
select bulkhead_tenant_table('app_installs');

-- What an App keeps with us about one install. Sealed: it is the customer's data, and ends with the Application's key.
create table app_properties (
  application_id text not null,
  client_key     text not null,
  property_key   text not null,
  value_sealed   bytea not null,
  created_at     timestamptz not null,
  modified_at    timestamptz not null,
  primary key (application_id, client_key, property_key),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
select bulkhead_tenant_table('app_properties');
-- Beside the policy of the tenant, and so on top of it: within the Application, only the install that the transaction has entered.
create policy install on app_properties as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));
