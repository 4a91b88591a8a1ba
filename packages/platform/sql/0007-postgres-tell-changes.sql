-- Processes remember for up to a second what they have read of these tables (`Database.recall`). Whoever changes a row tells them when it
-- commits, and tells its own transaction. A row that did not exist was not remembered, save for services: an account names one
-- that may come later.
create trigger tell_change after update or delete on access_tokens for each row execute function bulkhead_tell_change();
create trigger tell_change after update or delete on accounts for each row execute function bulkhead_tell_change();
create trigger tell_change after update or delete on credentials for each row execute function bulkhead_tell_change();
create trigger tell_change after insert or update or delete on custom_services for each row execute function bulkhead_tell_change();
create trigger tell_change after update of api_key_id, key_hash or delete on api_keys for each row execute function bulkhead_tell_change();
create trigger tell_change after update of active, deleted_at or delete on applications for each row execute function bulkhead_tell_change();
