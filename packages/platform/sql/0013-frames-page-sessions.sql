-- Pages of Apps that people have open in a browser.

-- A page session is asked for by the company's server, for one person and one App, and opened once, by its ticket, in one browser. Context
-- is what the company says the page is about.
create table page_sessions (
  application_id   text not null,
  session_id       text not null,
  client_key       text not null,
  module_key       text not null,
  ticket_hash      bytea not null check (length(ticket_hash) = 32),
  -- Null until the ticket was shown.
  browser_hash     bytea check (length(browser_hash) = 32),
  end_user         text,
  is_admin         boolean not null,
  context          jsonb not null,
  -- Origins whose pages may hold the page in a frame.
  frame_ancestors  text[] not null,
  lifetime_seconds integer not null,
  created_at       timestamptz not null,
  -- Of the ticket until it was shown, then of the session.
  ends_at          timestamptz not null,
  primary key (application_id, session_id),
  unique (application_id, ticket_hash),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
create index page_sessions_by_end on page_sessions (ends_at);
create index page_sessions_by_install on page_sessions (application_id, client_key);
select bulkhead_tenant_table('page_sessions');

-- With an install its pages end, so that none comes back to life when the App is installed again. Runs as whoever uninstalls.
create function bulkhead_end_page_sessions() returns trigger language plpgsql as $$
begin
  delete from page_sessions where application_id = new.application_id and client_key = new.client_key;
  return null;
end $$;
create trigger end_page_sessions after update of status on app_installs
  for each row when (new.status = 'uninstalled' and old.status <> 'uninstalled') execute function bulkhead_end_page_sessions();
