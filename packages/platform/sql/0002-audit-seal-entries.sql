-- Each entry carries a MAC over its content; seals, made in order, chain the entries of a log. What is edited, deleted,
-- reordered or cut no longer agrees (`bulkhead audit verify`).

-- position: the transaction that wrote the entry, shifted so that it never goes back (audit_sealing.shift). Once every
-- transaction up to a position has ended, the entries up to it are final, and a seal may close over them.
alter table audit_entries
  add column position     bigint not null default 0,
  add column audit_key_id text,
  add column mac          bytea check (length(mac) = 32);
drop index audit_entries_by_time;
create index audit_entries_in_order on audit_entries (application_id, position, audit_id);
create index audit_entries_by_position on audit_entries (position);

alter table organization_audit_entries
  add column position     bigint not null default 0,
  add column audit_key_id text,
  add column mac          bytea check (length(mac) = 32);
create index organization_audit_entries_in_order on organization_audit_entries (organization_id, position, audit_id);
create index organization_audit_entries_by_position on organization_audit_entries (position);

-- until: the seal closes over the entries of its log whose position is lower, and not lower than the seal's before.
create table audit_seals (
  application_id text not null references applications on delete cascade,
  seq            bigint not null,
  until          bigint not null,
  entries        bigint not null,
  first_audit_id text not null,
  last_audit_id  text not null,
  previous       bytea not null check (length(previous) = 32),
  digest         bytea not null check (length(digest) = 32),
  sealed_at      timestamptz not null,
  audit_key_id   text not null,
  mac            bytea not null check (length(mac) = 32),
  primary key (application_id, seq)
);
select bulkhead_tenant_table('audit_seals');

create table organization_audit_seals (
  organization_id text not null references organizations on delete cascade,
  seq             bigint not null,
  until           bigint not null,
  entries         bigint not null,
  first_audit_id  text not null,
  last_audit_id   text not null,
  previous        bytea not null check (length(previous) = 32),
  digest          bytea not null check (length(digest) = 32),
  sealed_at       timestamptz not null,
  audit_key_id    text not null,
  mac             bytea not null check (length(mac) = 32),
  primary key (organization_id, seq)
);
select bulkhead_control_table('organization_audit_seals');

-- Keys of the MACs, sealed under the root key. A retired one stays, for the entries that name it.
create table audit_keys (
  audit_key_id text primary key,
  sealed_key   bytea not null,
  created_at   timestamptz not null
);
select bulkhead_control_table('audit_keys');

-- One row: up to which position everything is sealed, and what is added to a transaction's number to make a position
-- (a database restored elsewhere counts its transactions from the start again).
create table audit_sealing (
  one          boolean primary key default true check (one),
  sealed_until bigint not null,
  shift        bigint not null
);
select bulkhead_control_table('audit_sealing');
insert into audit_sealing (sealed_until, shift) values (0, 0);

-- Who serves requests may add to a log and read it, no more.
revoke update, delete on audit_entries from bulkhead_app;
revoke insert, update, delete on audit_seals from bulkhead_app;
revoke update, delete on organization_audit_entries from bulkhead_control;
revoke insert, update, delete on organization_audit_seals, audit_keys, audit_sealing from bulkhead_control;
