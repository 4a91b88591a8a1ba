-- Schedules and events that call functions.

-- Why a job was written, where it may be for one reason only: a tick of its schedule, an event of its trigger.
alter table function_jobs add column occasion text;
create unique index function_jobs_by_occasion on function_jobs (application_id, client_key, environment, source, source_key, occasion)
  where occasion is not null;

-- Of which version the schedules of an install in an environment are.
create table function_timetables (
  application_id text not null,
  client_key     text not null,
  environment    text not null,
  version        int not null,
  primary key (application_id, client_key, environment),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
select bulkhead_tenant_table('function_timetables');

-- tick_at is the next moment by the schedule alone, due_at the same with the jitter of this install.
create table function_schedules (
  application_id text not null,
  client_key     text not null,
  environment    text not null,
  schedule_key   text not null,
  -- As the manifest has it.
  declared       jsonb not null,
  tick_at        timestamptz not null,
  due_at         timestamptz not null,
  primary key (application_id, client_key, environment, schedule_key),
  foreign key (application_id, client_key, environment) references function_timetables on delete cascade
);
create index function_schedules_due on function_schedules (due_at);
select bulkhead_tenant_table('function_schedules');

-- What happened where an App is enabled, until it is known which functions ask for it. Written with the event, whether or not the log keeps it.
create table function_events (
  application_id text not null references applications on delete cascade,
  event_id       text not null,
  type           text not null,
  account_id     bigint,
  at             timestamptz not null,
  data           jsonb not null,
  run_at         timestamptz not null,
  primary key (application_id, event_id)
);
create index function_events_due on function_events (application_id, run_at);
select bulkhead_tenant_table('function_events');

-- Told of every event that is appended, kept or not. Runs as whoever appends, so row-level security holds here too.
create function bulkhead_events_happened(happened jsonb) returns void language plpgsql as $$
begin
  insert into function_events (application_id, event_id, type, account_id, at, data, run_at)
  select e.application_id, e.event_id, e.type, e.account_id, e.at, e.data, e.at
    from jsonb_to_recordset(happened) as e (application_id text, event_id text, type text, account_id bigint, at timestamptz, data jsonb)
   where exists (select from app_installs i where i.application_id = e.application_id and i.status = 'enabled');
  if found then perform pg_notify('bulkhead_function_events', ''); end if;
end $$;
revoke all on function bulkhead_events_happened(jsonb) from public;
grant execute on function bulkhead_events_happened(jsonb) to bulkhead_app, bulkhead_system;

-- With an install its schedules end, too.
create or replace function bulkhead_end_function_jobs() returns trigger language plpgsql as $$
begin
  delete from function_jobs where application_id = new.application_id and client_key = new.client_key and run_at is not null;
  delete from function_timetables where application_id = new.application_id and client_key = new.client_key;
  return null;
end $$;
