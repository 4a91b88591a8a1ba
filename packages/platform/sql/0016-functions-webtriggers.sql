-- Web triggers: by which secret each install knows the callers of its addresses, and which signed requests it has had.

create table function_webtrigger_secrets (
  application_id         text not null,
  client_key             text not null,
  environment            text not null,
  trigger_key            text not null,
  -- By which authentication it counts; a manifest that asks for another wants another secret.
  authentication         text not null,
  secret_sealed          bytea not null,
  previous_secret_sealed bytea,
  previous_secret_until  timestamptz,
  created_at             timestamptz not null,
  modified_at            timestamptz not null,
  primary key (application_id, client_key, environment, trigger_key),
  foreign key (application_id, client_key) references app_installs on delete cascade,
  check ((previous_secret_sealed is null) = (previous_secret_until is null))
);
select bulkhead_tenant_table('function_webtrigger_secrets');
create policy install on function_webtrigger_secrets as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));

-- Digests of what was signed, until its time is over: the same request calls nothing twice.
create table function_webtrigger_uses (
  application_id text not null,
  client_key     text not null,
  digest         bytea not null,
  expires_at     timestamptz not null,
  primary key (application_id, client_key, digest),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
create index function_webtrigger_uses_by_end on function_webtrigger_uses (expires_at);
select bulkhead_tenant_table('function_webtrigger_uses');
create policy install on function_webtrigger_uses as restrictive to bulkhead_app
  using (client_key = (select current_setting('bulkhead.client_key')))
  with check (client_key = (select current_setting('bulkhead.client_key')));
