-- What services tell an Application at /v1/inbound/{application_id}/{service}.

-- By which secret a message of a service is known to be that service's. The second secret is live beside the first, for rotations.
create table inbound_webhooks (
  application_id          text not null references applications on delete cascade,
  inbound_webhook_id      text not null,
  service                 text not null,
  scheme                  text not null,
  secret_sealed           bytea not null,
  secondary_secret_sealed bytea,
  created_at              timestamptz not null,
  modified_at             timestamptz not null,
  primary key (application_id, inbound_webhook_id),
  unique (application_id, service)
);
select bulkhead_tenant_table('inbound_webhooks');

-- Messages that were verified, with their content sealed under the Application's data key.
create table inbound_messages (
  application_id text not null references applications on delete cascade,
  message_id     text not null,
  service        text not null,
  type           text,
  delivery_id    text,
  -- No foreign key: what an account was told outlives it until it expires.
  account_ids    bigint[] not null,
  payload_sealed bytea not null,
  received_at    timestamptz not null,
  expires_at     timestamptz not null,
  primary key (application_id, message_id)
);
create index inbound_messages_in_order on inbound_messages (application_id, received_at desc, message_id);
create index inbound_messages_by_end on inbound_messages (expires_at);
select bulkhead_tenant_table('inbound_messages');

-- What was received once is not received again: digests of what tells two deliveries of a service apart.
create table inbound_deliveries (
  application_id text not null references applications on delete cascade,
  service        text not null,
  delivery_hash  bytea not null check (length(delivery_hash) = 32),
  expires_at     timestamptz not null,
  primary key (application_id, service, delivery_hash)
);
create index inbound_deliveries_by_end on inbound_deliveries (expires_at);
select bulkhead_tenant_table('inbound_deliveries');
