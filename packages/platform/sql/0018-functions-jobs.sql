-- Jobs: work that waits for a function of an installed App.

-- run_at: when it is due; while it runs, the end of the lease of the worker that has it. Null: it is over. fence counts the claims;
-- whoever answers for an older one changes nothing. attempts counts the ends that were not good; claims what began since it was asked
-- for, also what was lost with its process.
create table function_jobs (
  application_id text not null,
  job_id         text not null,
  client_key     text not null,
  environment    text not null,
  source         text not null check (source in ('queue', 'schedule', 'event')),
  -- The key of the queue, schedule or trigger, in the manifest.
  source_key     text not null,
  -- As the manifest said when the job was written; the one that runs is asked again.
  function_key   text not null,
  -- One push, however many jobs.
  push_id        text,
  status         text not null default 'waiting' check (status in ('waiting', 'running', 'done', 'failed', 'cancelled')),
  run_at         timestamptz,
  fence          bigint not null default 0,
  attempts       int not null default 0,
  attempts_max   int not null,
  claims         int not null default 0,
  -- Jobs of its queue, schedule or trigger that run at a time, on all workers.
  concurrency    int not null,
  -- How many jobs this one comes of, each of which pushed the next.
  depth          int not null default 0,
  -- What a schedule or an event says; what a queue was given is sealed, because it may be anything of the customer's.
  cause          jsonb,
  payload_sealed bytea,
  -- How the last attempt ended, in a word, and the call in whose log the rest stands.
  outcome        text,
  invocation_id  text,
  created_at     timestamptz not null,
  -- When it was last asked for: written, or tried again by hand.
  asked_at       timestamptz not null,
  finished_at    timestamptz,
  primary key (application_id, job_id),
  foreign key (application_id, client_key) references app_installs on delete cascade,
  check ((status in ('waiting', 'running')) = (run_at is not null)),
  check ((run_at is null) = (finished_at is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- The lanes: what is due, by queue, schedule or trigger. Whether an install has a lane costs one step in here, however long it is.
create index function_jobs_due on function_jobs (application_id, client_key, environment, source, source_key, run_at) where run_at is not null;
create index function_jobs_running on function_jobs (run_at) where status = 'running';
create index function_jobs_by_install on function_jobs (application_id, client_key, created_at desc, job_id);
create index function_jobs_of_push on function_jobs (application_id, client_key, push_id) where push_id is not null;
create index function_jobs_by_end on function_jobs (finished_at) where finished_at is not null;
select bulkhead_tenant_table('function_jobs');

-- With an install its jobs end, so that none comes back to life when the App is installed again. What is over goes later.
create function bulkhead_end_function_jobs() returns trigger language plpgsql as $$
begin
  delete from function_jobs where application_id = new.application_id and client_key = new.client_key and run_at is not null;
  return null;
end $$;
create trigger end_function_jobs after update of status on app_installs for each row
  when (new.status = 'uninstalled' and old.status <> 'uninstalled') execute function bulkhead_end_function_jobs();

-- Of the job that a call belongs to: what it pushes is one deeper.
alter table function_invocations add column job_depth int not null default 0;
