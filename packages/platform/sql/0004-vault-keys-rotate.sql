-- Root key and data keys rotate online, and a deleted Application ends for old dumps too.

-- previous_root_key_id: set from the moment new keys are wrapped by root_key_id until nothing is wrapped by the one before.
-- key_folder_id: names the folder that holds the Applications' own keys, so that a process with another one stops.
alter table root_key_claims add column previous_root_key_id text;
alter table root_key_claims add column key_folder_id text;

-- application_key_id: the key outside this database that wraps the data key beside the root key; null: the root key alone does.
-- alone_under: root keys that alone opened this Application's keys in an earlier state of this database.
alter table data_keys add column application_key_id text;
alter table data_keys add column alone_under text[] not null default '{}';

-- A rotation under way is taken up where it was left.
create table key_rotations (
  rotation_id      text primary key,
  kind             text not null check (kind in ('root', 'data')),
  -- Of data keys: one Application's only.
  limited_to       text,
  from_root_key_id text,
  to_root_key_id   text,
  started_at       timestamptz not null default clock_timestamp(),
  finished_at      timestamptz
);
create unique index key_rotations_under_way on key_rotations (kind, coalesce(limited_to, '')) where finished_at is null;
select bulkhead_control_table('key_rotations');

-- Deleted Applications that an older dump and this root key still open: until the root key itself is destroyed.
create table deletions_awaiting_root_key (
  deleted_application text not null,
  root_key_id         text not null,
  erased_at           timestamptz not null,
  primary key (deleted_application, root_key_id)
);
select bulkhead_control_table('deletions_awaiting_root_key');

-- Answers kept for Idempotency-Keys go under the data key of the Application that they are about, and end with it.
-- Those of the last 24 hours, sealed in the old way, are forgotten, not their keys: a repetition is told to wait, never run twice.
alter table organization_idempotency_keys add column sealed_for text;
update organization_idempotency_keys set status = null, sealed_answer = null;
update idempotency_keys set status = null, sealed_answer = null;
