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
  -- Modules that an App adds while it runs, as in a descriptor: {"webhooks": [{"key", "event", "url"}]}. In this row and not bound to the
  -- install by a policy, because the trigger on events reads them for all Apps.
  dynamic_modules       jsonb not null default '{}',
  secret_sealed         bytea,
  pending_secret_sealed bytea,
  handshake_id          text,
  handshake_until       timestamptz,
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
-- Installs that are over, uninstalled or only ever refused, in the order in which they are forgotten.
create index app_installs_by_end on app_installs (modified_at) where status = 'uninstalled';
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

-- An event goes to the webhooks of the Apps that are enabled, too: to each module that names its type, of the descriptor or added since, in
-- the transaction that wrote it. The lane is that of the module, whatever place it has in the list. As before, runs as whoever inserts.
create or replace function bulkhead_deliver_events() returns trigger language plpgsql as $$
declare
  has_written boolean;
begin
  insert into deliveries (application_id, delivery_id, kind, endpoint_id, message_id, subject, content_type, body, run_at, created_at)
  select e.application_id, 'dlv' || replace(gen_random_uuid()::text, '-', ''), 'webhook', w.webhook_id, e.event_id, e.type,
         case w.format when 'kloudless' then 'application/x-www-form-urlencoded' else 'application/json' end,
         case w.format when 'kloudless' then 'account=' || e.account_id
              else json_build_object(
                     'type', e.type,
                     'timestamp', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                     'data', json_build_object('id', e.event_id, 'application_id', e.application_id, 'account_id', e.account_id, 'detail', e.data))::text
         end,
         e.at, e.at
    from new_events e
    join webhooks w on w.application_id = e.application_id
   where w.active
     and (w.format = 'standard' or e.account_id is not null)
     and (w.events is null or e.type = any(w.events) or split_part(e.type, '.', 1) || '.*' = any(w.events)
          or split_part(e.type, '.', 1) = any(w.events));
  has_written := found;

  insert into deliveries (application_id, delivery_id, kind, endpoint_id, message_id, subject, content_type, body, run_at, created_at)
  select e.application_id, 'dlv' || replace(gen_random_uuid()::text, '-', ''), 'app_webhook',
         i.client_key || '.webhook.' || md5((hook.module ->> 'event') || ' ' || (hook.module ->> 'url')),
         e.event_id || '.' || hook.place, e.type, 'application/json',
         json_build_object(
           'timestamp', (extract(epoch from e.at) * 1000)::bigint, 'webhookEvent', e.type,
           'id', e.event_id, 'application_id', e.application_id, 'account_id', e.account_id, 'detail', e.data)::text,
         e.at, e.at
    from new_events e
    join app_installs i on i.application_id = e.application_id
   cross join lateral jsonb_array_elements(
           coalesce(i.descriptor -> 'modules' -> 'webhooks', '[]'::jsonb) || coalesce(i.dynamic_modules -> 'webhooks', '[]'::jsonb)
         ) with ordinality as hook (module, place)
   where i.status = 'enabled' and hook.module ->> 'event' = e.type;

  if found or has_written then perform pg_notify('bulkhead_deliveries', ''); end if;
  return null;
end $$;
