-- Installs that are over, uninstalled or only ever refused, in the order in which they are forgotten.
drop index app_installs_by_end;
create index app_installs_by_end on app_installs (modified_at) where status = 'uninstalled';
