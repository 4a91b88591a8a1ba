import { PlatformError } from '@bulkhead/base';
import { ConfigError } from '@bulkhead/platform';
import { NoDatabaseYet } from '@bulkhead/server';
import { CallError } from './call-api.ts';
import type { Failure } from './explain-usage.ts';
import { UsageError } from './usage-error.ts';

/** Whatever ended a command, as sentences with a way out. Pure. */
export function explainFailure(thrown: unknown): Failure {
  if (thrown instanceof UsageError) return { text: thrown.message, exitCode: 2 };
  if (thrown instanceof CallError) return { text: thrown.message, exitCode: 1 };
  if (thrown instanceof ConfigError || areConfigErrors(thrown))
    return { text: `${thrown.message}\nAll settings: docs/reference/config.md`, exitCode: 2 };
  if (thrown instanceof NoDatabaseYet) {
    const text = `There is no Bulkhead database in ${thrown.message}. Type the command where Bulkhead was started, or name its folder by BULKHEAD_DATA_DIR. A new one is made by "npx bulkhead start".`;
    return { text, exitCode: 1 };
  }
  if (thrown instanceof PlatformError) return { text: explainPlatformError(thrown), exitCode: 1 };
  return {
    text:
      explainSystemError(thrown) ??
      `Bulkhead stopped at an error it did not expect. Please report it with these lines:\n${stackOf(thrown)}`,
    exitCode: 1,
  };
}

function areConfigErrors(thrown: unknown): thrown is AggregateError {
  return thrown instanceof AggregateError && thrown.errors.every((each) => each instanceof ConfigError);
}

function explainPlatformError(error: PlatformError): string {
  if (error.code !== 'database.unavailable') return error.publicText;
  const cause = error.cause instanceof Error ? error.cause : null;
  const said = causeText(cause);
  return `Bulkhead cannot reach its database${said === '' ? '' : ` (${said})`}. Check that the server of BULKHEAD_DATABASE_URL is up and that its host, port, user, password and database are right; without the variable Bulkhead brings its own PostgreSQL.`;
}

/** Several addresses of one host fail with several errors and no text of their own. */
function causeText(cause: Error | null): string {
  if (cause instanceof AggregateError)
    return [...new Set(cause.errors.map((each) => (each instanceof Error ? each.message : '')))].filter(Boolean).join('; ');
  return cause?.message ?? '';
}

interface SystemError extends Error {
  readonly code: string;
  readonly syscall?: string;
  readonly port?: number;
  readonly address?: string;
  readonly path?: string;
}

function isSystemError(thrown: unknown): thrown is SystemError {
  return thrown instanceof Error && typeof (thrown as { code?: unknown }).code === 'string';
}

function explainSystemError(thrown: unknown): string | null {
  if (!isSystemError(thrown)) return null;
  if (thrown.syscall === 'listen' || thrown.syscall === 'getaddrinfo') return explainListen(thrown);
  const path = thrown.path ?? 'the data folder';
  switch (thrown.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `Bulkhead may not write to ${path} (${thrown.code}). Use an account that may, or choose another folder: BULKHEAD_DATA_DIR=/path npx bulkhead start`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `${path} is in the way: BULKHEAD_DATA_DIR must name a folder (${thrown.code}).`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `There is no room left on the disk of ${path} (${thrown.code}).`;
    default:
      return null;
  }
}

function explainListen(error: SystemError): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${error.port} on ${error.address} is in use by another program (or another Bulkhead). Stop that one, or choose another port: BULKHEAD_PORT=8500 npx bulkhead start (0 takes any free one).`;
    case 'EACCES':
      return `This account may not listen on port ${error.port}. Choose one above 1023: BULKHEAD_PORT=8400 npx bulkhead start`;
    default:
      return `Bulkhead cannot listen on ${error.address ?? 'this address'} (${error.code}): BULKHEAD_HOST must be an address of this machine, such as 127.0.0.1 or 0.0.0.0.`;
  }
}

function stackOf(thrown: unknown): string {
  if (thrown instanceof AggregateError) return thrown.errors.map(stackOf).join('\n');
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
