import type { ApplicationId } from '@bulkhead/base';
import { sql, type Tx } from '@bulkhead/postgres';
import type { DeclaredSchedule } from '@bulkhead/protocol';
import { type InstallPlace, installsAndVersions, isInEnvironment } from './source-store.ts';

/** A schedule of an install, and when it comes next. */
export interface Schedule extends InstallPlace {
  readonly declared: DeclaredSchedule;
  readonly tickAt: Date;
}

interface PlaceRow {
  application_id: ApplicationId;
  client_key: string;
  environment: string;
}

const place = (row: PlaceRow): InstallPlace => ({
  applicationId: row.application_id,
  clientKey: row.client_key,
  environment: row.environment,
});

const at = ({ applicationId, clientKey, environment }: InstallPlace) =>
  sql`application_id = ${applicationId} and client_key = ${clientKey} and environment = ${environment}`;

/** Installs for which another version runs than their schedules are of: with that version and its schedules, null where none runs. */
export async function listOutdated(
  tx: Tx,
  limit: number,
): Promise<(InstallPlace & { readonly version: number | null; readonly schedules: readonly DeclaredSchedule[] })[]> {
  const rows = await tx.query<PlaceRow & { version: number | null; schedules: DeclaredSchedule[] | null }>(sql`
    select i.application_id, i.client_key, e.environment, r.version, r.manifest -> 'schedules' as schedules
      from ${installsAndVersions}
      left join function_timetables t on t.application_id = i.application_id and t.client_key = i.client_key and t.environment = e.environment
     where ${isInEnvironment} and t.version is distinct from r.version limit ${limit}`);
  return rows.map((row) => ({ ...place(row), version: row.version, schedules: row.schedules ?? [] }));
}

/** Ends the schedules of installs that are no longer enabled, or no longer in their environment; at most `limit`. */
export async function deleteIdleTimetables(tx: Tx, limit: number): Promise<number> {
  return tx.execute(sql`
    delete from function_timetables where ctid = any(array(
      select t.ctid from function_timetables t
       where not exists (
         select from app_installs i join applications a on a.application_id = i.application_id and a.active and a.deleted_at is null
           left join function_installs m on m.application_id = i.application_id and m.client_key = i.client_key and m.environment = t.environment
           left join function_environments e on e.organization_id = a.organization_id and e.app_key = i.app_key and e.environment = t.environment
          where i.application_id = t.application_id and i.client_key = t.client_key and e.environment is not null and ${isInEnvironment})
       limit ${limit} for update of t skip locked))`);
}

export async function deleteTimetable(tx: Tx, of: InstallPlace): Promise<void> {
  await tx.execute(sql`delete from function_timetables where ${at(of)}`);
}

export async function findSchedules(tx: Tx, of: InstallPlace): Promise<Schedule[]> {
  const rows = await tx.query<{ declared: DeclaredSchedule; tick_at: Date }>(sql`
    select declared, tick_at from function_schedules where ${at(of)} for update`);
  return rows.map((row) => ({ ...of, declared: row.declared, tickAt: row.tick_at }));
}

/** Puts these schedules of a version in the place of those before. */
export async function putTimetable(
  tx: Tx,
  of: InstallPlace,
  version: number,
  schedules: readonly (Schedule & { readonly dueAt: Date })[],
): Promise<void> {
  await tx.execute(sql`
    insert into function_timetables (application_id, client_key, environment, version)
    values (${of.applicationId}, ${of.clientKey}, ${of.environment}, ${version})
    on conflict (application_id, client_key, environment) do update set version = excluded.version`);
  await tx.execute(sql`
    delete from function_schedules where ${at(of)} and schedule_key <> all(${schedules.map(({ declared }) => declared.key)}::text[])`);
  for (const { declared, tickAt, dueAt } of schedules)
    await tx.execute(sql`
      insert into function_schedules (application_id, client_key, environment, schedule_key, declared, tick_at, due_at)
      values (${of.applicationId}, ${of.clientKey}, ${of.environment}, ${declared.key}, ${JSON.stringify(declared)}::jsonb, ${tickAt}, ${dueAt})
      on conflict (application_id, client_key, environment, schedule_key) do update
         set declared = excluded.declared, tick_at = excluded.tick_at, due_at = excluded.due_at`);
}

/** Schedules that are due, of enabled installs, locked until the transaction ends; what another worker has is passed over. */
export async function claimDue(tx: Tx, now: Date, limit: number): Promise<(Schedule & { readonly waiting: number })[]> {
  const rows = await tx.query<PlaceRow & { declared: DeclaredSchedule; tick_at: Date; waiting: number }>(sql`
    select s.application_id, s.client_key, s.environment, s.declared, s.tick_at,
           (select count(*) from function_jobs j
             where j.application_id = s.application_id and j.client_key = s.client_key and j.environment = s.environment
               and j.source = 'schedule' and j.source_key = s.schedule_key and j.run_at is not null)::int as waiting
      from function_schedules s
      join app_installs i on i.application_id = s.application_id and i.client_key = s.client_key and i.status = 'enabled'
      join applications a on a.application_id = s.application_id and a.active and a.deleted_at is null
     where s.due_at <= ${now} order by s.due_at limit ${limit} for update of s skip locked`);
  return rows.map((row) => ({ ...place(row), declared: row.declared, tickAt: row.tick_at, waiting: row.waiting }));
}

export async function moveSchedule(tx: Tx, { declared, ...of }: Schedule, next: { tickAt: Date; dueAt: Date }): Promise<void> {
  await tx.execute(sql`
    update function_schedules set tick_at = ${next.tickAt}, due_at = ${next.dueAt} where ${at(of)} and schedule_key = ${declared.key}`);
}

/** One that never comes again. */
export async function deleteSchedule(tx: Tx, { declared, ...of }: Schedule): Promise<void> {
  await tx.execute(sql`delete from function_schedules where ${at(of)} and schedule_key = ${declared.key}`);
}
