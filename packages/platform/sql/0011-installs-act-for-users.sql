-- Tokens by which an App acts for a user of its tenant (RFC 7523). One assertion names one token: the digest of what was signed is spent by
-- the row, which lives longer than any assertion. A token counts while its install is as it was when the token was issued.
create table app_user_tokens (
  application_id text not null,
  token_hash     bytea not null check (length(token_hash) = 32),
  client_key     text not null,
  generation     bigint not null,
  -- The end user of the Application that the App acts for.
  user_id        text not null,
  scopes         text[] not null,
  assertion_hash bytea not null check (length(assertion_hash) = 32),
  created_at     timestamptz not null,
  expires_at     timestamptz not null,
  primary key (application_id, token_hash),
  unique (application_id, client_key, assertion_hash),
  foreign key (application_id, client_key) references app_installs on delete cascade
);
create index app_user_tokens_by_end on app_user_tokens (expires_at);
select bulkhead_tenant_table('app_user_tokens');

-- Whether somebody is a user of an Application.
create index accounts_by_end_user on accounts (application_id, end_user) where end_user is not null;

-- Tokens of Apps that were used, by a digest of what was signed, until they are over: whoever has copied one does nothing with it.
create table app_token_uses (
  application_id text not null references applications on delete cascade,
  token_hash     bytea not null check (length(token_hash) = 32),
  used_at        timestamptz not null,
  expires_at     timestamptz not null,
  primary key (application_id, token_hash)
);
create index app_token_uses_by_end on app_token_uses (expires_at);
select bulkhead_tenant_table('app_token_uses');
