import { hmacSha256 } from '@bulkhead/base';
import type { AuditLogId } from './ledger.ts';

/** What an entry says, as its MAC is made over it. */
export interface EntryContent {
  readonly auditId: string;
  /** Microseconds since 1970, in decimal. */
  readonly at: string;
  readonly actor: unknown;
  readonly action: string;
  readonly target: string | null;
  readonly requestId: string | null;
  readonly detail: unknown;
}

/** What a seal says. */
export interface SealContent {
  readonly seq: number;
  readonly until: number;
  readonly entries: number;
  readonly firstAuditId: string;
  readonly lastAuditId: string;
  readonly previous: Buffer;
  readonly digest: Buffer;
  /** Microseconds since 1970, in decimal. */
  readonly sealedAt: string;
}

/**
 * The keys of logs, from an audit key (HKDF-SHA256, RFC 5869): an entry copied into another log fails there. What is extracted from the
 * audit key is kept, so that each log costs one HMAC: a key is one block long (section 2.3).
 */
export function logKeys(auditKey: Uint8Array): (log: AuditLogId) => Buffer {
  const extracted = hmacSha256('', auditKey);
  return ({ kind, id }) => hmacSha256(extracted, `bulkhead audit log|${kind}|${id}\x01`);
}

export function entryMac(key: Uint8Array, keyId: string, log: AuditLogId, entry: EntryContent): Buffer {
  const { auditId, at, actor, action, target, requestId, detail } = entry;
  return mac(key, ['entry', keyId, log.kind, log.id, auditId, at, sorted(actor), action, target, requestId, sorted(detail)]);
}

export function sealMac(key: Uint8Array, keyId: string, log: AuditLogId, seal: SealContent): Buffer {
  const { seq, until, entries, firstAuditId, lastAuditId, previous, digest, sealedAt } = seal;
  const named = ['seal', keyId, log.kind, log.id, seq, until, entries, firstAuditId, lastAuditId];
  return mac(key, [...named, previous.toString('hex'), digest.toString('hex'), sealedAt]);
}

function mac(key: Uint8Array, parts: readonly unknown[]): Buffer {
  return hmacSha256(key, JSON.stringify(parts));
}

/** The value as PostgreSQL's jsonb gives it back, whatever the order of its keys; a list and an object never look alike. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return ['[', ...value.map(sorted)];
  if (value === null || typeof value !== 'object') return value;
  // Pairs, not an object: a key that looks like a number would be moved to the front.
  const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return ['{', ...pairs.map(([name, inner]) => [name, sorted(inner)])];
}
