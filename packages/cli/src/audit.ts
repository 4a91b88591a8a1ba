import { readFile } from 'node:fs/promises';
import { systemClock } from '@bulkhead/base';
import {
  APPLICATION_LEDGER,
  type AuditLogId,
  entriesInOrder,
  findErasure,
  formatHead,
  type Head,
  ORGANIZATION_LEDGER,
  ownersOf,
  parseHead,
  type Verified,
  verifyAuditLog,
} from '@bulkhead/platform';
import type { Database } from '@bulkhead/postgres';
import { parseDuration } from './duration.ts';
import { onDatabase } from './on-database.ts';
import { UsageError } from './usage-error.ts';

interface OneLog {
  readonly application?: string;
  readonly organization?: string;
  readonly json?: true;
}

export interface VerifyOptions extends OneLog {
  readonly all?: true;
  readonly head?: string;
  readonly heads?: string;
}

export interface ListOptions extends OneLog {
  readonly since?: string;
}

/** Checks logs and prints a line for each; exit code 1 where one does not agree, or where one that was asked for is not there. */
export async function verifyLogs(options: VerifyOptions): Promise<void> {
  const one = options.all ? null : chosenLog(options, '--all, --application or --organization');
  if (options.all && (options.application ?? options.organization) !== undefined)
    throw new UsageError('--all: expected without --application and --organization.');
  if (options.all && options.head !== undefined) throw new UsageError('--head: belongs to one log; with --all give a file by --heads.');
  const heads = await givenHeads(options, one);
  const isGood = await onDatabase(async (db) => {
    let good = true;
    const seen = new Set<string>();
    for await (const log of one === null ? allLogs(db) : [one]) {
      seen.add(log.id);
      good = (await verifyOne(db, log, heads.get(log.id), options)) && good;
    }
    // Of a log that was there once, something must be left: itself, or that it was erased.
    for (const [id, head] of heads)
      if (!seen.has(id) && one === null) good = (await verifyOne(db, { kind: kindOf(id), id }, head, options)) && good;
    return good;
  });
  if (!isGood) process.exitCode = 1;
}

async function verifyOne(db: Database, log: AuditLogId, head: Head | undefined, options: VerifyOptions): Promise<boolean> {
  const onProgress = (entries: number) => {
    if (process.stderr.isTTY) process.stderr.write(`${log.id}: ${entries} entries read\r`);
  };
  const verified = await verifyAuditLog(db, log, { ...(head === undefined ? {} : { head }), onProgress });
  if (verified !== null) {
    say(options, verdictOf(verified));
    return verified.finding === null;
  }
  const erased = log.kind === 'application' ? await db.withSystem('look for an erasure', (tx) => findErasure(tx, log.id)) : null;
  const reached = erased?.head === null || erased === null ? null : parseHead(erased.head);
  const isProven = erased !== null && (head === undefined || (reached !== null && reached.seq >= head.seq));
  say(options, {
    id: log.id,
    head: reached === null ? null : formatHead(reached),
    ok: isProven,
    text: isProven
      ? `erased with its Application; ${erased.organizationId} keeps the fact`
      : erased === null
        ? `there is no such log${head === undefined ? '' : ', and no organization wrote down that it was erased'}`
        : 'erased, and the end that was written down lies before the head that was given',
  });
  return isProven;
}

interface Verdict {
  readonly id: string;
  readonly head: string | null;
  readonly ok: boolean;
  readonly text: string;
  readonly entry?: string;
}

function verdictOf({ log, finding, head, entries, unsealed }: Verified): Verdict {
  if (finding !== null)
    return {
      id: log.id,
      head: formatHead(head),
      ok: false,
      text: finding.text,
      ...(finding.auditId === undefined ? {} : { entry: finding.auditId }),
    };
  const last = unsealed === 0 ? '' : `, the last ${unsealed} not sealed yet`;
  return { id: log.id, head: formatHead(head), ok: true, text: `${entries} ${entries === 1 ? 'entry' : 'entries'}${last}` };
}

function say({ json }: OneLog, verdict: Verdict): void {
  const line = json ? JSON.stringify(verdict) : `${verdict.id}  ${verdict.head ?? '-'}  ${verdict.ok ? 'ok' : 'TAMPERED'}: ${verdict.text}`;
  process.stdout.write(`${line}\n`);
}

/** Prints the entries of a log, as they come. */
export async function listEntries(options: ListOptions): Promise<void> {
  const log = chosenLog(options, '--application or --organization');
  const since = options.since === undefined ? undefined : moment(options.since);
  await onDatabase(async (db) => {
    for await (const entry of entriesInOrder(db, log, since)) {
      const at = new Date(Number(entry.at) / 1000).toISOString();
      const { auditId, actor, action, target, requestId, detail } = entry;
      process.stdout.write(
        options.json
          ? `${JSON.stringify({ id: auditId, at, actor, action, target, request_id: requestId, detail })}\n`
          : `${at}  ${action}  ${actorText(actor)}  ${target ?? '-'}  ${JSON.stringify(detail)}\n`,
      );
    }
  });
}

function actorText(actor: unknown): string {
  const { kind = '?', id, user } = (actor ?? {}) as { kind?: string; id?: string; user?: string };
  return (id === undefined ? kind : `${kind}:${id}`) + (user === undefined ? '' : ` for ${JSON.stringify(user)}`);
}

async function* allLogs(db: Database): AsyncGenerator<AuditLogId> {
  for await (const id of ownersOf(db, ORGANIZATION_LEDGER)) yield { kind: 'organization', id };
  for await (const id of ownersOf(db, APPLICATION_LEDGER)) yield { kind: 'application', id };
}

function chosenLog({ application, organization }: OneLog, expected: string): AuditLogId {
  if (application !== undefined && organization !== undefined) throw new UsageError('--organization: expected without --application.');
  if (application !== undefined) return { kind: 'application', id: application };
  if (organization !== undefined) return { kind: 'organization', id: organization };
  throw new UsageError(`Which log? Expected ${expected}.`);
}

function kindOf(id: string): AuditLogId['kind'] {
  return id.startsWith('org') ? 'organization' : 'application';
}

async function givenHeads({ head, heads }: VerifyOptions, one: AuditLogId | null): Promise<ReadonlyMap<string, Head>> {
  const known = new Map<string, Head>();
  if (heads !== undefined) {
    const text = await readFile(heads, 'utf8').catch(() => {
      throw new UsageError(`--heads: "${heads}" cannot be read.`);
    });
    for (const [, id, found] of text.matchAll(/\b((?:app|org)[0-9A-Za-z]{22,})\b\W+(?:head\W+)?(\d+:[0-9a-f]{64})/g))
      known.set(id!, parseHead(found!)!);
    if (known.size === 0) throw new UsageError(`--heads: "${heads}" holds no line of "audit verify".`);
  }
  if (head !== undefined && one !== null) {
    const parsed = parseHead(head);
    if (parsed === null)
      throw new UsageError(`--head: expected SEQ:DIGEST as "audit verify" prints it, such as 12:9f86d081…; got "${head}".`);
    known.set(one.id, parsed);
  }
  return known;
}

function moment(text: string): Date {
  if (/^\d+[smhdw]?$/.test(text)) return new Date(systemClock.now() - parseDuration(text, '--since') * 1_000);
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw new UsageError(`--since: expected a time such as 24h, or 2026-11-25T10:00:00Z; got "${text}".`);
  return at;
}
