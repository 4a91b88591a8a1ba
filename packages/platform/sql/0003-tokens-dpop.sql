-- RFC 9449: the SHA-256 thumbprint (RFC 7638) of the key that a token, a grant or a code is bound to. Null: bound to none.
alter table access_tokens add column dpop_jkt text check (dpop_jkt ~ '^[A-Za-z0-9_-]{43}$');
alter table grants add column dpop_jkt text check (dpop_jkt ~ '^[A-Za-z0-9_-]{43}$');
alter table authorization_codes add column dpop_jkt text check (dpop_jkt ~ '^[A-Za-z0-9_-]{43}$');

-- DPoP proofs that were used (§11.1), by key and jti, until they are too old to be accepted anyway.
create table dpop_proofs (
  application_id text not null references applications on delete cascade,
  proof_hash     bytea not null check (length(proof_hash) = 32),
  expires_at     timestamptz not null,
  primary key (application_id, proof_hash)
);
create index dpop_proofs_by_expiry on dpop_proofs (application_id, expires_at);
select bulkhead_tenant_table('dpop_proofs');
