/**
 * One query per rule. Each answers with `finding` and may read `given`: the lists of control tables, organization
 * tables and allowed objects, and the serving roles.
 */

/** Tables of schema public that are neither control tables nor our record of migrations. */
const tenantTables = `
  tenant_tables as (
    select c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity
      from pg_class c, given
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       and c.relname <> 'bulkhead_migrations' and c.relname <> all (control_tables))`;

/** Who holds which right on which relation, whole or in part; a partition or view counts as a relation too. */
const reachable = `
  reachable as (
    select c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.reloptions, role
      from pg_class c join pg_namespace n on n.oid = c.relnamespace, given, unnest(serving_roles) role
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
       and has_schema_privilege(role, n.oid, 'usage')
       and (has_table_privilege(role, c.oid, 'select, insert, update, delete, truncate, references, trigger')
            or has_any_column_privilege(role, c.oid, 'select, insert, update, references')))`;

const scoped = (setting: string, column: string): string =>
  `(${column} = ( SELECT current_setting('${setting}'::text) AS current_setting))`;
const tenantCondition = scoped('bulkhead.application_id', 'application_id').replaceAll("'", "''");
const organizationCondition = scoped('bulkhead.organization_id', 'organization_id').replaceAll("'", "''");

export const tableGateQueries: readonly string[] = [
  `, ${tenantTables}
  select format('Table %s %s.', relname, offence) as finding
    from tenant_tables, public.bulkhead_tenant_key_offences(oid) offence`,

  `, ${tenantTables}
  select format('Table %s has the foreign key %s to %s, which is neither a tenant table nor a control table.', relname, conname, confrelid::regclass) as finding
    from tenant_tables t join pg_constraint on conrelid = t.oid and contype = 'f', given
   where not exists (select from pg_attribute where attrelid = confrelid and attname = 'application_id' and not attisdropped)
     and confrelid::regclass::text <> all (control_tables)`,

  `, ${tenantTables}
  select format('Table %s does not have row-level security both enabled and forced.', relname) as finding
    from tenant_tables where not (relrowsecurity and relforcerowsecurity)`,

  `, ${tenantTables}
  select format('Table %s lacks the policy that holds bulkhead_app to its Application for reading and writing.', relname) as finding
    from tenant_tables t
   where not exists (
     select from pg_policy p
      where p.polrelid = t.oid and p.polcmd = '*' and p.polroles = array['bulkhead_app'::regrole::oid]
        and pg_get_expr(polqual, polrelid) = '${tenantCondition}' and pg_get_expr(polwithcheck, polrelid) = '${tenantCondition}')`,

  // Permissive policies add up, so one more of them may undo the first.
  `, ${tenantTables}
  select format('Table %s has the policy %s, which lets more through.', relname, polname) as finding
    from tenant_tables t join pg_policy p on p.polrelid = t.oid, given
   where polpermissive
     and not (polroles = array['bulkhead_app'::regrole::oid] and polcmd = '*' and pg_get_expr(polqual, polrelid) = '${tenantCondition}' and pg_get_expr(polwithcheck, polrelid) = '${tenantCondition}')
     and not polroles = array['bulkhead_system'::regrole::oid]
     and not (polroles = array['bulkhead_control'::regrole::oid] and relname = any (organization_tables)
              and coalesce(pg_get_expr(polqual, polrelid), '${organizationCondition}') = '${organizationCondition}'
              and coalesce(pg_get_expr(polwithcheck, polrelid), '${organizationCondition}') = '${organizationCondition}')`,

  `, ${tenantTables}, ${reachable}
  select distinct format('Table %s holds tenant data and %s has rights on it.', relname, role) as finding
    from reachable join tenant_tables using (oid, relname), given
   where role = 'bulkhead_control' and relname <> all (organization_tables)`,

  // A partition asks its own policies where it is named itself. It has none, so this shuts it to whoever might be let in one day.
  `select format('Partition %s does not have row-level security both enabled and forced.', relname) as finding
    from pg_class, given
   where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relispartition and not (relrowsecurity and relforcerowsecurity)`,

  // TRUNCATE and triggers do not ask the policies; a foreign key of one's own reads past them.
  `, ${tenantTables}
  select format('Table %s lets %s do more than select, insert, update and delete.', relname, role) as finding
    from tenant_tables t, given, unnest(serving_roles) role where has_table_privilege(role, t.oid, 'truncate, references, trigger')`,

  `, ${reachable}
  select format('Control table %s lets bulkhead_app in.', relname) as finding
    from reachable, given where nspname = 'public' and role = 'bulkhead_app' and relname = any (control_tables)
  union all
  select format('The record of migrations lets %s in.', role) from reachable where nspname = 'public' and relname = 'bulkhead_migrations'`,

  `select format('Control table %s does not exist.', name) as finding
    from given, unnest(control_tables) name where to_regclass(format('public.%I', name)) is null`,

  `, ${reachable}
  select format('View %s.%s runs with its owner''s rights (no security_invoker) and %s can read it.', nspname, relname, role) as finding
    from reachable, given
   where relkind = 'v' and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1', 'security_invoker=yes'], false)
     and format('%s.%s', nspname, relname) <> all (allowed)
  union all
  select format('Materialized view %s.%s knows no row-level security and %s can read it.', nspname, relname, role)
    from reachable, given where relkind = 'm' and format('%s.%s', nspname, relname) <> all (allowed)
  union all
  select format('Foreign table %s.%s knows no row-level security and %s can reach it.', nspname, relname, role)
    from reachable, given where relkind = 'f' and format('%s.%s', nspname, relname) <> all (allowed)
  union all
  select format('Partition %s.%s can be reached by %s past the policies of its parent.', nspname, relname, role)
    from reachable where relispartition
  union all
  select format('Table %s.%s lies outside schema public and %s can reach it.', nspname, relname, role)
    from reachable, given where relkind in ('r', 'p') and not relispartition and nspname <> 'public' and format('%s.%s', nspname, relname) <> all (allowed)`,

  `select distinct format('Function %s runs with its owner''s rights (security definer) and %s can call it.', p.oid::regprocedure, role) as finding
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace, given, unnest(serving_roles) role
   where p.prosecdef and n.nspname <> 'pg_catalog' and has_schema_privilege(role, n.oid, 'usage') and has_function_privilege(role, p.oid, 'execute')
     and format('%s.%s', n.nspname, p.proname) <> all (allowed)`,

  `select format('Role %s does not exist.', name) as finding
    from given, unnest(serving_roles || 'bulkhead_owner'::text) name where to_regrole(name) is null
  union all
  select format('Role %s may %s.', rolname, might)
    from pg_roles, given,
         lateral (values (rolsuper, 'do anything (superuser)'), (rolbypassrls, 'bypass row-level security'), (rolcreaterole, 'make roles'),
                         (rolcreatedb, 'make databases'), (rolreplication, 'replicate')) as power (has, might)
   where rolname = any (serving_roles || 'bulkhead_owner'::text) and has
  union all
  select format('Role %s is a member of %s.', member::regrole, roleid::regrole)
    from pg_auth_members, given where member::regrole::text = any (serving_roles)
  union all
  select format('Role %s owns %s.', refobjid::regrole, pg_describe_object(classid, objid, objsubid))
    from pg_shdepend, given
   where deptype = 'o' and refclassid = 'pg_authid'::regclass and dbid in (0, (select oid from pg_database where datname = current_database()))
     and refobjid::regrole::text = any (serving_roles)
  union all
  select format('Role %s may create in schema %s.', role, nspname)
    from pg_namespace, given, unnest(serving_roles) role
   where nspname !~ '^pg_' and has_schema_privilege(role, oid, 'create')`,

  // A trigger fires whether or not its function may be called, and a rule acts with the rights of the table's owner.
  `, ${reachable}
  select distinct format('Trigger %s on %s.%s runs %s with its owner''s rights (security definer).', tgname, nspname, relname, p.oid::regprocedure) as finding
    from reachable r join pg_trigger t on t.tgrelid = r.oid and not tgisinternal join pg_proc p on p.oid = tgfoid, given
   where p.prosecdef and format('%s.%s', nspname, tgname) <> all (allowed)
  union all
  select distinct format('Rule %s on %s.%s acts with the rights of the table''s owner.', rulename, nspname, r.relname)
    from reachable r join pg_rewrite w on w.ev_class = r.oid, given
   where rulename <> '_RETURN' and format('%s.%s', nspname, rulename) <> all (allowed)`,

  // pg_temp is looked through first: a table of that name would stand before the real one for whoever has the connection next.
  `select format('Role %s may make temporary tables.', role) as finding
    from given, unnest(serving_roles) role where has_database_privilege(role, current_database(), 'temporary')
  union all
  select format('Role %s may make schemas.', role)
    from given, unnest(serving_roles) role where has_database_privilege(role, current_database(), 'create')
  union all
  select 'Everybody may reach the database.' from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) where datname = current_database() and grantee = 0`,

  // A default of one of these is in force where nobody has set a scope.
  `select format('%s begins with %s.', case when setrole = 0 then 'Every session' else format('A session of %s', setrole::regrole) end, setting) as finding
    from pg_db_role_setting, given, unnest(setconfig) setting
   where (setrole = 0 or setrole::regrole::text = any (serving_roles || 'bulkhead_owner'::text))
     and setdatabase in (0, (select oid from pg_database where datname = current_database()))
     and setting ~* '^(bulkhead\\.|search_path=|role=|session_authorization=|row_security=|session_replication_role=|local_preload_libraries=)'
  union all
  select format('Role %s may set %s.', role, parname)
    from pg_parameter_acl, given, unnest(serving_roles) role where has_parameter_privilege(role, parname, 'set, alter system')`,

  // What the next migration makes is shut until it says whom it lets in.
  `select format('New %s of %s let %s in by themselves.', case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' else 'schemas' end,
                 defaclrole::regrole, case when grantee = 0 then 'everybody' else grantee::regrole::text end) as finding
    from pg_default_acl, aclexplode(defaclacl), given
   where defaclobjtype <> 'T' and (grantee = 0 or grantee::regrole::text = any (serving_roles))
  union all
  select 'New functions of bulkhead_owner can be called by everybody.'
   where not exists (select from pg_default_acl where defaclobjtype = 'f' and defaclnamespace = 0 and defaclrole = to_regrole('bulkhead_owner'))`,

  // A counter that several tenants advance tells each of the others; setval would let one move it for all.
  `select format('Sequence %s.%s lets %s see or set it.', nspname, relname, role) as finding
    from pg_class c join pg_namespace n on n.oid = relnamespace, given, unnest(serving_roles) role
   where relkind = 'S' and nspname !~ '^pg_' and has_schema_privilege(role, n.oid, 'usage') and has_sequence_privilege(role, c.oid, 'select, update')
     and format('%s.%s', nspname, relname) <> all (allowed)
  union all
  select format('Extension %s is installed: its functions and tables know no tenants.', extname)
    from pg_extension, given where extname <> 'plpgsql' and format('extension.%s', extname) <> all (allowed)
  union all
  select format('Language %s lets who may make functions out of the database.', lanname) from pg_language where lanispl and not lanpltrusted
  union all
  select 'There are large objects: they know no tenants.' where exists (select from pg_largeobject_metadata)`,
];
