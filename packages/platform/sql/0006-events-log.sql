-- The event log: what happened in an Application, in an order that a reader can follow.
-- Partitioned by the moment a row stops being readable, so that forgetting is dropping a table, and one Application that keeps its
-- events for a month does not keep those of another that keeps them for a day.

-- position: the number of the transaction that wrote the event, shifted so that it never goes back (a database restored elsewhere counts
-- its transactions from the start again). Below the oldest transaction under way nothing can come late: that is as far as one reads.
-- The shift is a function, because serving roles can look at no sequence; only bulkhead_keep_event_partitions() writes another.
create function bulkhead_event_shift() returns bigint language sql stable as 'select 0::bigint';
-- The highest position that is known to have been reached; in a dump as well.
create sequence events_high minvalue 0 start 0;

create function bulkhead_event_position() returns bigint language sql volatile as $$
  select pg_current_xact_id()::text::bigint + bulkhead_event_shift()
$$;
-- Every transaction below this position has ended, as the statement that asks sees it.
create function bulkhead_event_horizon() returns bigint language sql stable as $$
  select pg_snapshot_xmin(pg_current_snapshot())::text::bigint + bulkhead_event_shift()
$$;

create table events (
  application_id text not null references applications on delete cascade,
  event_id       text not null,
  position       bigint not null default bulkhead_event_position(),
  -- The order within one transaction.
  seq            bigint not null,
  type           text not null check (length(type) <= 100),
  -- No foreign key: that an account was deleted is an event too.
  account_id     bigint,
  at             timestamptz not null,
  expires_at     timestamptz not null,
  data           jsonb not null check (octet_length(data::text) <= 4096),
  primary key (application_id, event_id, expires_at)
) partition by range (expires_at);
create sequence events_seq owned by events.seq;
alter table events alter column seq set default nextval('events_seq');
create index events_in_order on events (application_id, position, seq);
create index events_of_account on events (application_id, account_id, position, seq) where account_id is not null;
select bulkhead_tenant_table('events');
-- Who serves requests may add to the log and read it, no more.
revoke update, delete on events from bulkhead_app;

-- Where no partition has been made for a moment, its events are kept here.
create table events_default partition of events default;
alter table events_default enable row level security;
alter table events_default force row level security;

-- How long an event of this type is kept in this Application as things stand; null where it is not kept at all.
create function bulkhead_event_retention(of_application text, of_type text) returns interval language sql stable as $$
  select make_interval(hours => least(s.retention_hours, 720))
    from applications a join event_settings s on s.application_id = a.application_id
   where a.application_id = of_application and a.events_enabled and (s.types is null or of_type = any (s.types))
$$;

revoke all on function bulkhead_event_shift(), bulkhead_event_position(), bulkhead_event_horizon(), bulkhead_event_retention(text, text) from public;
grant execute on function bulkhead_event_shift(), bulkhead_event_position(), bulkhead_event_horizon(), bulkhead_event_retention(text, text)
  to bulkhead_app, bulkhead_system;

-- Serving roles own nothing, so they can neither make nor drop a table: this does, as the owner, and nothing else. It reads no row.
-- Makes a partition for each day from `until` to `ahead` days later, drops those that ended before `until` (and before now, whatever
-- clock `until` comes from), and keeps positions going up. Where others hold the tables it gives up after a second; the next call goes on.
create function bulkhead_keep_event_partitions(until timestamptz, ahead int) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' set lock_timeout = '1s' as $$
declare
  first_day date := until::date;
  reached   bigint;
  here      bigint;
  day       date;
  name      text;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('bulkhead:event-partitions', 0)) then
    return;
  end if;

  for day in select d::date from generate_series(first_day, first_day + least(greatest(ahead, 0), 40), interval '1 day') d loop
    name := 'events_' || to_char(day, 'YYYY_MM_DD');
    continue when to_regclass('public.' || quote_ident(name)) is not null;
    begin
      -- Attached, not made in place: that way nobody who writes or reads the log has to wait.
      execute format('create table public.%I (like public.events including all)', name);
      execute format('alter table public.%I enable row level security', name);
      execute format('alter table public.%I force row level security', name);
      execute format('alter table public.events attach partition public.%I for values from (%L) to (%L)', name, day::timestamptz, (day + 1)::timestamptz);
    exception
      -- Events of that day lie in events_default already, and there they stay until they are forgotten.
      when check_violation then null;
    end;
  end loop;

  for name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'public.events'::regclass and c.relname ~ '^events_\d{4}_\d\d_\d\d$'
       and to_date(right(c.relname, 10), 'YYYY_MM_DD') + 1 <= least(until, clock_timestamp())
     order by c.relname
  loop
    execute format('drop table public.%I', name);
  end loop;

  select last_value into reached from public.events_high;
  here := pg_current_xact_id()::text::bigint + public.bulkhead_event_shift();
  if here < reached then
    -- Restored into a cluster that counts from the start. Who is writing at this moment ends first; the gap is wider than what can have
    -- been written between the last call and the dump.
    lock table public.events in share mode;
    here := reached + 4294967296;
    execute format('create or replace function public.bulkhead_event_shift() returns bigint language sql stable as %L',
                   format('select %s::bigint', here - pg_current_xact_id()::text::bigint));
  end if;
  if here > reached then
    perform setval('public.events_high', here);
  end if;
end
$$;
revoke all on function bulkhead_keep_event_partitions(timestamptz, int) from public;
grant execute on function bulkhead_keep_event_partitions(timestamptz, int) to bulkhead_system;

-- Today, tomorrow and the day after: as far as the default retention reaches.
select bulkhead_keep_event_partitions(now(), 2);
