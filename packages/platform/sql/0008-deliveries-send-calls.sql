-- Signed calls that we owe to somebody, written in the transaction of the change. Only a pending one has a run_at: when it is due, or
-- the end of the lease of the worker that has it. fence counts the claims; whoever answers for an older one changes nothing.
create table deliveries (
  application_id text not null references applications on delete cascade,
  delivery_id    text not null,
  kind           text not null,
  endpoint_id    text not null,
  message_id     text not null,
  subject        text not null,
  content_type   text not null,
  body           text not null,
  status         text not null default 'pending' check (status in ('pending', 'delivered', 'failed', 'cancelled')),
  run_at         timestamptz,
  fence          bigint not null default 0,
  attempts       int not null default 0,
  log            jsonb not null default '[]',
  created_at     timestamptz not null,
  finished_at    timestamptz,
  primary key (application_id, delivery_id),
  check ((status = 'pending') = (run_at is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- The lanes: what is due, by endpoint. Whether an Application has a lane at all costs one step in here, however long the lane.
create index deliveries_due on deliveries (application_id, endpoint_id, run_at) where run_at is not null;
create index deliveries_log on deliveries (application_id, endpoint_id, created_at desc, delivery_id);
create index deliveries_age on deliveries using brin (created_at);
select bulkhead_tenant_table('deliveries');

-- How an endpoint fares. No row: nothing was ever sent to it.
create table delivery_endpoints (
  application_id       text not null references applications on delete cascade,
  endpoint_id          text not null,
  consecutive_failures int not null default 0,
  failing_since        timestamptz,
  -- The breaker: nothing is sent before this moment; after it one call at a time, until one succeeds.
  open_until           timestamptz,
  openings             int not null default 0,
  stopped_at           timestamptz,
  stopped_reason       text check (stopped_reason in ('failing', 'gone')),
  last_success_at      timestamptz,
  last_failure_at      timestamptz,
  last_failure         text,
  primary key (application_id, endpoint_id),
  check ((stopped_at is null) = (stopped_reason is null))
);
select bulkhead_tenant_table('delivery_endpoints');

-- The secret that was replaced signs beside the new one until this moment.
alter table webhooks add column previous_secret_sealed bytea;
alter table webhooks add column previous_secret_until timestamptz;
alter table webhooks add check ((previous_secret_sealed is null) = (previous_secret_until is null));

-- Every event becomes a delivery to each webhook that asks for its type, in the transaction that wrote it. Runs as whoever inserts, so
-- row-level security holds here too. Kloudless's format can only say that something happened to an account.
create function bulkhead_deliver_events() returns trigger language plpgsql as $$
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
  if found then perform pg_notify('bulkhead_deliveries', ''); end if;
  return null;
end $$;
create trigger deliver_events after insert on events referencing new table as new_events
  for each statement execute function bulkhead_deliver_events();
