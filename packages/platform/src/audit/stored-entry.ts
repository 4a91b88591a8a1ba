import { sql } from '@bulkhead/postgres';
import type { EntryContent } from './audit-mac.ts';

/** Columns of an entry's content. The time in full: a `Date` would drop the microseconds, and an edit of them. */
export const storedContent = sql`audit_id, (extract(epoch from at) * 1000000)::bigint::text as at, actor, action, target, request_id, detail`;

export interface StoredContent {
  readonly audit_id: string;
  readonly at: string;
  readonly actor: unknown;
  readonly action: string;
  readonly target: string | null;
  readonly request_id: string | null;
  readonly detail: unknown;
}

export function readContent(row: StoredContent): EntryContent {
  return {
    auditId: row.audit_id,
    at: row.at,
    actor: row.actor,
    action: row.action,
    target: row.target,
    requestId: row.request_id,
    detail: row.detail,
  };
}

/** A time as `storedContent` reads it. */
export function microseconds(at: Date): string {
  return `${at.getTime() * 1000}`;
}
