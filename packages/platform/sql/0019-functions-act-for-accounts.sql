-- What a running call may do with the accounts of its Application: by its manifest, when it began, and for whom.
alter table function_invocations
  add column scopes text[] not null default '{}',
  -- The end user on whose behalf it was called; null: the App as itself.
  add column user_id text;
