-- Everything the main job needs: organizations, Applications and their children, accounts, tokens, flows, audit.
-- Tenant tables: application_id first in every key, forced RLS by bulkhead_tenant_table().
-- Control tables: found without a tenant, hold no tenant data.

-- ---------------------------------------------------------------------------------------------------- developers
create table organizations (
  organization_id text primary key,
  name            text not null,
  created_at      timestamptz not null default now()
);

create table meta_tokens (
  meta_token_id   text primary key,
  organization_id text not null references organizations on delete cascade,
  name            text not null,
  token_hash      bytea not null unique check (length(token_hash) = 32),
  shortened       text not null,
  scopes          text[] not null,
  created_at      timestamptz not null default now(),
  last_used_at    timestamptz,
  expires_at      timestamptz
);
create index meta_tokens_by_organization on meta_tokens (organization_id, created_at);

create table organization_audit_entries (
  organization_id text not null references organizations on delete cascade,
  audit_id        text not null,
  at              timestamptz not null,
  actor           jsonb not null,
  action          text not null,
  target          text,
  request_id      text,
  detail          jsonb not null default '{}',
  primary key (organization_id, audit_id)
);

create table organization_idempotency_keys (
  organization_id text not null references organizations on delete cascade,
  idempotency_key text not null,
  request_hash    bytea not null,
  status          int,
  sealed_answer   bytea,
  expires_at      timestamptz not null,
  primary key (organization_id, idempotency_key)
);
create index organization_idempotency_keys_by_expiry on organization_idempotency_keys (expires_at);

select bulkhead_control_table('organizations');
select bulkhead_control_table('meta_tokens');
select bulkhead_control_table('organization_audit_entries');
select bulkhead_control_table('organization_idempotency_keys');

-- ---------------------------------------------------------------------------------------------------- applications
create table applications (
  application_id         text primary key,
  organization_id        text not null,
  name                   text not null,
  description            text not null default '',
  logo_url               text,
  environment            text not null default 'production' check (environment in ('development', 'staging', 'production')),
  active                 boolean not null default true,
  implicit_grant_enabled boolean not null default false,
  pkce_required          boolean not null default true,
  recent_enabled         boolean not null default false,
  events_enabled         boolean not null default false,
  end_customer           text,
  enabled_services       text[],
  source_application_id  text,
  source_revision        bigint,
  revision               bigint not null default 1,
  created_at             timestamptz not null default now(),
  modified_at            timestamptz not null default now(),
  deleted_at             timestamptz
);
create index applications_by_organization on applications (organization_id, created_at desc, application_id);
create index applications_by_source on applications (organization_id, source_application_id);

select bulkhead_tenant_table('applications');
-- The control role lists and creates the Applications of one organization, and sees nothing below them.
grant select on applications to bulkhead_control;
create policy organization_scope on applications for select to bulkhead_control
  using (organization_id = (select current_setting('bulkhead.organization_id')));

create table branding (
  application_id    text primary key references applications on delete cascade,
  display_name      text,
  logo_url          text,
  primary_colour    text,
  background_colour text,
  support_url       text,
  privacy_url       text,
  locale            text,
  redirect_domain   text
);
select bulkhead_tenant_table('branding');

create table event_settings (
  application_id  text primary key references applications on delete cascade,
  retention_hours int not null default 24,
  types           text[]
);
select bulkhead_tenant_table('event_settings');

create table data_keys (
  application_id text not null references applications on delete cascade,
  version        int not null,
  root_key_id    text not null,
  wrapped_key    bytea not null,
  created_at     timestamptz not null default now(),
  primary key (application_id, version)
);
select bulkhead_tenant_table('data_keys');

-- Which root key this database is sealed under, claimed at the first start: of several first processes with keys of their
-- own, one wins, and the others stop before they seal anything.
create table root_key_claims (
  only_one    boolean primary key default true check (only_one),
  root_key_id text not null,
  claimed_at  timestamptz not null
);
select bulkhead_control_table('root_key_claims');

create table api_keys (
  application_id text not null references applications on delete cascade,
  api_key_id     text not null,
  key_hash       bytea not null check (length(key_hash) = 32),
  shortened      text not null,
  created_at     timestamptz not null default now(),
  last_used_at   timestamptz,
  primary key (application_id, api_key_id),
  unique (application_id, key_hash)
);
select bulkhead_tenant_table('api_keys');

create table redirect_uris (
  application_id  text not null references applications on delete cascade,
  redirect_uri_id text not null,
  url             text not null,
  created_at      timestamptz not null default now(),
  primary key (application_id, redirect_uri_id),
  unique (application_id, url)
);
select bulkhead_tenant_table('redirect_uris');

create table trusted_domains (
  application_id    text not null references applications on delete cascade,
  trusted_domain_id text not null,
  domain            text not null,
  created_at        timestamptz not null default now(),
  primary key (application_id, trusted_domain_id),
  unique (application_id, domain)
);
select bulkhead_tenant_table('trusted_domains');

create table custom_services (
  application_id text not null references applications on delete cascade,
  service        text not null,
  definition     jsonb not null,
  callback_id    text not null,
  created_at     timestamptz not null default now(),
  modified_at    timestamptz not null default now(),
  primary key (application_id, service),
  unique (application_id, callback_id)
);
select bulkhead_tenant_table('custom_services');

create table oauth_keys (
  application_id       text not null references applications on delete cascade,
  oauth_key_id         text not null,
  service              text not null,
  client_id            text not null,
  client_secret_sealed bytea not null,
  scopes               text[],
  created_at           timestamptz not null default now(),
  modified_at          timestamptz not null default now(),
  primary key (application_id, oauth_key_id),
  unique (application_id, service)
);
select bulkhead_tenant_table('oauth_keys');

create table webhooks (
  application_id text not null references applications on delete cascade,
  webhook_id     text not null,
  url            text not null,
  format         text not null check (format in ('kloudless', 'standard')),
  events         text[],
  active         boolean not null default true,
  secret_sealed  bytea not null,
  created_at     timestamptz not null default now(),
  modified_at    timestamptz not null default now(),
  primary key (application_id, webhook_id)
);
select bulkhead_tenant_table('webhooks');

-- A change of any setting raises the Application's revision: what a clone records of its source, once per statement.
create function bulkhead_raise_revision() returns trigger language plpgsql as $$
begin
  update applications set revision = revision + 1, modified_at = now()
   where application_id = current_setting('bulkhead.application_id', true);
  return null;
end $$;
create trigger raise_revision after insert or update or delete on branding        for each statement execute function bulkhead_raise_revision();
create trigger raise_revision after insert or update or delete on event_settings  for each statement execute function bulkhead_raise_revision();
create trigger raise_revision after insert or update or delete on redirect_uris   for each statement execute function bulkhead_raise_revision();
create trigger raise_revision after insert or update or delete on trusted_domains for each statement execute function bulkhead_raise_revision();
create trigger raise_revision after insert or update or delete on custom_services for each statement execute function bulkhead_raise_revision();
create trigger raise_revision after insert or update or delete on oauth_keys      for each statement execute function bulkhead_raise_revision();
create trigger raise_revision after insert or update or delete on webhooks        for each statement execute function bulkhead_raise_revision();

-- ---------------------------------------------------------------------------------------------------- vault
-- version counts every replacement of the sealed value: refresh is a compare-and-swap on it.
-- The lease (owner, fencing number, deadline) is taken in its own short transaction; no lock is held across HTTP.
create table credentials (
  application_id    text not null references applications on delete cascade,
  credential_id     text not null,
  service           text not null,
  version           bigint not null default 1,
  sealed            bytea not null,
  expires_at        timestamptz,
  refreshable       boolean not null default false,
  lease_owner       text,
  lease_fence       bigint not null default 0,
  lease_until       timestamptz,
  retry_after       timestamptz,
  failure_count     int not null default 0,
  broken_reason     text,
  created_at        timestamptz not null default now(),
  modified_at       timestamptz not null default now(),
  primary key (application_id, credential_id)
);
select bulkhead_tenant_table('credentials');

-- ---------------------------------------------------------------------------------------------------- accounts
create table accounts (
  application_id    text not null references applications on delete cascade,
  account_id        bigint not null check (account_id > 0 and account_id < 9007199254740992),
  service           text not null,
  account           text not null,
  identity_id       text not null,
  credential_id     text,
  provisional       boolean not null default false,
  active            boolean not null default true,
  admin             boolean not null default false,
  internal_use      boolean not null default false,
  health            text not null default 'healthy' check (health in ('healthy', 'broken')),
  broken_reason     text,
  effective_scope   text not null,
  granted_scopes    text[],
  custom_properties jsonb not null default '{}',
  end_user          text,
  created_at        timestamptz not null default now(),
  modified_at       timestamptz not null default now(),
  primary key (application_id, account_id),
  foreign key (application_id, credential_id) references credentials (application_id, credential_id)
);
-- One upstream identity is one account, so that connecting twice keeps the id.
create unique index accounts_by_identity on accounts (application_id, service, identity_id);
create index accounts_by_credential on accounts (application_id, credential_id);
create index accounts_provisional on accounts (application_id, created_at) where provisional;
select bulkhead_tenant_table('accounts');

-- What a finished connect flow brought and nobody has confirmed yet. The account, where it is live, stays as it is until then.
create table pending_connections (
  application_id    text not null references applications on delete cascade,
  credential_id     text not null,
  account_id        bigint not null,
  account           text not null,
  effective_scope   text not null,
  granted_scopes    text[],
  custom_properties jsonb,
  end_user          text,
  created_at        timestamptz not null,
  primary key (application_id, credential_id),
  foreign key (application_id, credential_id) references credentials (application_id, credential_id),
  foreign key (application_id, account_id) references accounts (application_id, account_id) on delete cascade
);
create index pending_connections_by_account on pending_connections (application_id, account_id);
select bulkhead_tenant_table('pending_connections');

-- ---------------------------------------------------------------------------------------------------- tokens
-- What one approval of one end user gave. Revocation deletes the grant; everything issued under it goes with it.
create table grants (
  application_id text not null references applications on delete cascade,
  grant_id       text not null,
  account_id     bigint not null,
  scope          text not null,
  end_user       text,
  -- Issued to a client that authenticated: it must authenticate again to refresh (RFC 6749 section 6).
  confidential   boolean not null default false,
  created_at     timestamptz not null default now(),
  primary key (application_id, grant_id),
  foreign key (application_id, account_id) references accounts (application_id, account_id) on delete cascade
);
create index grants_by_account on grants (application_id, account_id);
select bulkhead_tenant_table('grants');

-- A token hangs from exactly one parent and dies with it: a grant, an API key, or (exchanged) another token.
create table access_tokens (
  application_id        text not null references applications on delete cascade,
  token_hash            bytea not null check (length(token_hash) = 32),
  account_id            bigint not null,
  scope                 text not null,
  authorization_details jsonb,
  end_user              text,
  -- Exchanges since the grant or API key. Bounded, because a deletion cascades one level inside the other.
  depth                 int not null default 0 check (depth between 0 and 8),
  grant_id              text,
  parent_api_key_id     text,
  parent_token_hash     bytea,
  created_at            timestamptz not null default now(),
  expires_at            timestamptz,
  primary key (application_id, token_hash),
  foreign key (application_id, account_id) references accounts (application_id, account_id) on delete cascade,
  foreign key (application_id, grant_id) references grants (application_id, grant_id) on delete cascade,
  foreign key (application_id, parent_api_key_id) references api_keys (application_id, api_key_id) on delete cascade,
  foreign key (application_id, parent_token_hash) references access_tokens (application_id, token_hash) on delete cascade,
  check (num_nonnulls(grant_id, parent_api_key_id, parent_token_hash) = 1)
);
create index access_tokens_by_grant on access_tokens (application_id, grant_id);
create index access_tokens_by_account on access_tokens (application_id, account_id);
create index access_tokens_by_api_key on access_tokens (application_id, parent_api_key_id) where parent_api_key_id is not null;
create index access_tokens_by_parent on access_tokens (application_id, parent_token_hash) where parent_token_hash is not null;
create index access_tokens_by_expiry on access_tokens (application_id, expires_at);
select bulkhead_tenant_table('access_tokens');

-- A used refresh token stays as a fact, so that its second use is recognised and ends the grant.
create table refresh_tokens (
  application_id text not null references applications on delete cascade,
  token_hash     bytea not null check (length(token_hash) = 32),
  grant_id       text not null,
  created_at     timestamptz not null default now(),
  expires_at     timestamptz not null,
  used_at        timestamptz,
  primary key (application_id, token_hash),
  foreign key (application_id, grant_id) references grants (application_id, grant_id) on delete cascade
);
create index refresh_tokens_by_grant on refresh_tokens (application_id, grant_id);
create index refresh_tokens_by_expiry on refresh_tokens (application_id, expires_at);
select bulkhead_tenant_table('refresh_tokens');

-- ---------------------------------------------------------------------------------------------------- authorization
create table pushed_authorization_requests (
  application_id   text not null references applications on delete cascade,
  request_uri_hash bytea not null,
  request          jsonb not null,
  created_at       timestamptz not null default now(),
  expires_at       timestamptz not null,
  used_at          timestamptz,
  primary key (application_id, request_uri_hash)
);
select bulkhead_tenant_table('pushed_authorization_requests');

-- One connect flow in one browser.
create table authorization_transactions (
  application_id        text not null references applications on delete cascade,
  transaction_hash      bytea not null,
  browser_hash          bytea not null,
  request               jsonb not null,
  service               text,
  oauth_key_id          text,
  callback_id           text,
  endpoints_digest      bytea,
  state_hash            bytea,
  code_verifier_sealed  bytea,
  -- The authorization server as it was when the browser left for it, and what was asked of it.
  upstream              jsonb,
  -- Tries at a credential form.
  attempts              int not null default 0,
  created_at            timestamptz not null default now(),
  expires_at            timestamptz not null,
  consumed_at           timestamptz,
  primary key (application_id, transaction_hash)
);
create unique index authorization_transactions_by_state on authorization_transactions (application_id, state_hash);
create index authorization_transactions_by_expiry on authorization_transactions (application_id, expires_at);
select bulkhead_tenant_table('authorization_transactions');

create table authorization_codes (
  application_id   text not null references applications on delete cascade,
  code_hash        bytea not null,
  account_id       bigint not null,
  credential_id    text not null,
  redirect_uri     text not null,
  code_challenge   text,
  scope            text not null,
  end_user         text,
  created_at       timestamptz not null default now(),
  expires_at       timestamptz not null,
  used_at          timestamptz,
  grant_id         text,
  primary key (application_id, code_hash),
  foreign key (application_id, account_id) references accounts (application_id, account_id) on delete cascade
);
create index authorization_codes_by_expiry on authorization_codes (application_id, expires_at);
select bulkhead_tenant_table('authorization_codes');

-- ---------------------------------------------------------------------------------------------------- tasks
-- What must happen after a commit: written in the same transaction, claimed by workers with a lease.
create table tasks (
  application_id text not null references applications on delete cascade,
  task_id        text not null,
  name           text not null,
  payload        jsonb not null,
  run_at         timestamptz not null default now(),
  attempts       int not null default 0,
  last_error     text,
  created_at     timestamptz not null default now(),
  primary key (application_id, task_id)
);
create index tasks_due on tasks (run_at);
create index tasks_by_kind on tasks (application_id, name, run_at, task_id);
select bulkhead_tenant_table('tasks');

-- ---------------------------------------------------------------------------------------------------- audit, idempotency
create table audit_entries (
  application_id text not null references applications on delete cascade,
  audit_id       text not null,
  at             timestamptz not null,
  actor          jsonb not null,
  action         text not null,
  target         text,
  request_id     text,
  detail         jsonb not null default '{}',
  primary key (application_id, audit_id)
);
create index audit_entries_by_time on audit_entries (application_id, at desc);
select bulkhead_tenant_table('audit_entries');

create table idempotency_keys (
  application_id  text not null references applications on delete cascade,
  principal       text not null,
  idempotency_key text not null,
  request_hash    bytea not null,
  status          int,
  sealed_answer   bytea,
  expires_at      timestamptz not null,
  primary key (application_id, principal, idempotency_key)
);
create index idempotency_keys_by_expiry on idempotency_keys (application_id, expires_at);
select bulkhead_tenant_table('idempotency_keys');
