import { defineErrors, PlatformError } from '@bulkhead/base';

export const databaseErrors = defineErrors({
  'database.unavailable': {
    status: 503,
    wire: 'service_not_available',
    oauth: 'temporarily_unavailable',
    text: 'The service cannot reach its database at the moment. Try again shortly.',
  },
  'database.busy': {
    status: 503,
    wire: 'service_not_available',
    oauth: 'temporarily_unavailable',
    text: 'The request took too long in the database or ran into another one. Try again shortly.',
  },
  'database.text_refused': {
    status: 400,
    wire: 'invalid_parameters',
    oauth: 'invalid_request',
    text: 'A text in the request holds a character that cannot be stored (such as NUL).',
  },
  'database.misused': {
    status: 500,
    wire: 'internal_error',
    oauth: 'server_error',
    text: 'The server made a mistake. It has been recorded.',
  },
  'database.roles_unfit': {
    status: 500,
    wire: 'internal_error',
    text: 'The database roles are not fit to serve: {problem}',
  },
  'database.migration_refused': {
    status: 500,
    wire: 'internal_error',
    text: 'The database was not migrated: {problem}',
  },
  'database.folder_in_use': {
    status: 500,
    wire: 'internal_error',
    text: 'Another Bulkhead (process {pid}) is using the data folder {folder}. Stop it, or set BULKHEAD_DATA_DIR to another folder for this one.',
  },
  'database.not_started': {
    status: 500,
    wire: 'internal_error',
    text: 'The embedded PostgreSQL did not start: {problem}',
  },
});

const UNAVAILABLE_NODE_CODES = new Set([
  'EACCES',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
]);
/** Texts of the driver and its pool; they carry no code. */
const UNAVAILABLE_TEXTS =
  /^(timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error|Client was closed|Query read timeout|Cannot use a pool after calling end|timeout expired)/;
/**
 * PostgreSQL's SQLSTATEs: 08 connection, 28 log-in, 53 out of resources, 57P0x shutting down or starting up,
 * 25P03 we idled in a transaction, 25006 a replica answers (a fail-over is under way).
 */
const UNAVAILABLE_STATES = /^(08...|28...|53...|57P0.|25P03|25006|3D000)$/;
/** 57014 cancelled by a timeout, 55P03 lock timeout, 40P01 deadlock, 40001 serialisation. */
const BUSY_STATES = /^(57014|55P03|40P01|40001)$/;
/** 26000 a prepared statement is gone, 42P05 its name is taken: a pooler stands between. The connection is of no more use. */
const STALE_STATES = /^(26000|42P05)$/;
const STALE_PLAN = 'cached plan must not change result type';
/** 22021 and 22P05: bytes that the encoding does not have, NUL above all. */
const TEXT_STATES = /^(22021|22P05)$/;

function property(error: unknown, name: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = (error as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}

/** The SQLSTATE of a PostgreSQL error, looked for in the error and what caused it. */
export function sqlState(error: unknown): string | undefined {
  if (error instanceof PlatformError) return sqlState(error.cause);
  const code = property(error, 'code');
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && property(error, 'severity') !== undefined ? code : undefined;
}

/** What the driver threw, as callers should see it: out of reach, busy and unstorable are ours; the rest passes as it is. */
export function fromDriver(error: unknown): unknown {
  if (error instanceof PlatformError) return error;
  const state = sqlState(error);
  if (state !== undefined) {
    if (UNAVAILABLE_STATES.test(state)) return databaseErrors('database.unavailable', { cause: error, retryAfterSeconds: 2 });
    if (BUSY_STATES.test(state) || isStaleStatement(error)) return databaseErrors('database.busy', { cause: error, retryAfterSeconds: 1 });
    if (TEXT_STATES.test(state)) return databaseErrors('database.text_refused', { cause: error });
    return error;
  }
  const unreachable = UNAVAILABLE_NODE_CODES.has(property(error, 'code') ?? '') || UNAVAILABLE_TEXTS.test(property(error, 'message') ?? '');
  return unreachable ? databaseErrors('database.unavailable', { cause: error, retryAfterSeconds: 2 }) : error;
}

/** Whether a statement that this connection keeps prepared no longer fits the server: after a migration, or behind a pooler. */
export function isStaleStatement(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && (STALE_STATES.test(state) || (state === '0A000' && property(error, 'message') === STALE_PLAN));
}

/** Whether a row stood in the way of a unique index (SQLSTATE 23505), of that one if `constraint` names it. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return violates(error, '23505', constraint);
}

/** Whether a row was missing, or still referred to (SQLSTATE 23503). */
export function isForeignKeyViolation(error: unknown, constraint?: string): boolean {
  return violates(error, '23503', constraint);
}

function violates(error: unknown, state: string, constraint: string | undefined): boolean {
  return sqlState(error) === state && (constraint === undefined || property(error, 'constraint') === constraint);
}
