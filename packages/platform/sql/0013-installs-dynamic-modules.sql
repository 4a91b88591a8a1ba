-- Modules that an App adds to one of its installs while it runs, as in a descriptor: {"webhooks": [{"key", "event", "url"}]}. In the row of the
-- install and not bound to it by a policy, because the trigger on events reads them for all Apps.
alter table app_installs add column dynamic_modules jsonb not null default '{}';

-- As before, and with the webhooks among them.
create or replace function bulkhead_deliver_events() returns trigger language plpgsql as $$
declare
  has_written boolean;
begin
  insert into deliveries (application_id, delivery_id, kind, endpoint_id, message_id, subject, content_type, body, run_at, created_at)
  select e.application_id, 'dlv' || replace(gen_random_uuid()::text, '-', ''), 'webhook', w.webhook_id, e.event_id, e.type,
         case w.format when 'kloudless' then 'application/x-www-form-urlencoded' else 'application/json' end,
         case w.format when 'kloudless' then 'account=' || e.account_id
              else json_build_object(
                     'type', e.type,
                     'timestamp', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                     'data', json_build_object('id', e.event_id, 'application_id', e.application_id, 'account_id', e.account_id, 'detail', e.data))::text
         end,
         e.at, e.at
    from new_events e
    join webhooks w on w.application_id = e.application_id
   where w.active
     and (w.format = 'standard' or e.account_id is not null)
     and (w.events is null or e.type = any(w.events) or split_part(e.type, '.', 1) || '.*' = any(w.events)
          or split_part(e.type, '.', 1) = any(w.events));
  has_written := found;

  insert into deliveries (application_id, delivery_id, kind, endpoint_id, message_id, subject, content_type, body, run_at, created_at)
  select e.application_id, 'dlv' || replace(gen_random_uuid()::text, '-', ''), 'app_webhook',
         i.client_key || '.webhook.' || md5((hook.module ->> 'event') || ' ' || (hook.module ->> 'url')),
         e.event_id || '.' || hook.place, e.type, 'application/json',
         json_build_object(
           'timestamp', (extract(epoch from e.at) * 1000)::bigint, 'webhookEvent', e.type,
           'id', e.event_id, 'application_id', e.application_id, 'account_id', e.account_id, 'detail', e.data)::text,
         e.at, e.at
    from new_events e
    join app_installs i on i.application_id = e.application_id
   cross join lateral jsonb_array_elements(
           coalesce(i.descriptor -> 'modules' -> 'webhooks', '[]'::jsonb) || coalesce(i.dynamic_modules -> 'webhooks', '[]'::jsonb)
         ) with ordinality as hook (module, place)
   where i.status = 'enabled' and hook.module ->> 'event' = e.type;

  if found or has_written then perform pg_notify('bulkhead_deliveries', ''); end if;
  return null;
end $$;
