-- A change under an Idempotency-Key leaves a mark in its own transaction, so that it is not made twice where the process died before
-- the answer was kept. Marks are rows of the same tables, under a principal or key that no request can name.
alter table idempotency_keys add column claim_id text;
alter table organization_idempotency_keys add column claim_id text;
