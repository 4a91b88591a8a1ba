import { type Log, PlatformError } from '@bulkhead/base';
import { httpErrors } from './http-errors.ts';

/** Whatever was thrown, as a PlatformError; a foreign error becomes `server_error` and keeps its text to the log. */
export function asPlatformError(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError) return thrown;
  if (thrown instanceof Error && 'statusCode' in thrown && 'code' in thrown) {
    const code = String(thrown.code);
    if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
      return httpErrors('request.body_too_large', { params: { limit: 'the allowed number of' }, cause: thrown });
    // No id is as long as that, so there is nothing of that name.
    if (code === 'FST_ERR_MAX_PARAM_LENGTH') return httpErrors('not_found', { cause: thrown });
    if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH')
      return httpErrors('request.invalid', { params: { problem: 'Content-Length and body differ.' } });
    if (typeof thrown.statusCode === 'number' && thrown.statusCode >= 400 && thrown.statusCode < 500)
      return httpErrors('request.invalid', { params: { problem: 'The request is malformed.' }, cause: thrown });
  }
  return httpErrors('server_error', { cause: thrown });
}

/** Kloudless's error object (`status_code`, `message`, `error_code`, `id`), with our finer `code` and the field at fault beside it. */
export function restErrorBody(error: PlatformError, requestId: string): Record<string, string | number> {
  return {
    status_code: error.status,
    message: error.publicText,
    error_code: error.wire,
    code: error.code,
    ...(error.field === undefined ? {} : { field: error.field }),
    id: requestId,
  };
}

/** RFC 6749 §5.2 error object; `id` names the request. */
export function oauthErrorBody(error: PlatformError, requestId: string): Record<string, string> {
  return {
    error: error.oauth ?? (error.status >= 500 ? 'server_error' : 'invalid_request'),
    error_description: error.publicText.replaceAll(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, "'"),
    error_code: error.wire,
    id: requestId,
  };
}

/** 5xx with its cause, anything else in one line: a refusal is normal business. */
export function logError(log: Log, error: PlatformError, ids: { readonly requestId: string; readonly route?: string }): void {
  // Told as a number: a line for each would cost more than the request that was not served.
  if (error.code === 'server.overloaded') return;
  const fields = { ...ids, code: error.code, status: error.status, ...(error.detail === undefined ? {} : { detail: error.detail }) };
  if (error.status >= 500) log.error('request failed', { ...fields, err: error.cause ?? error });
  else log.debug('request refused', fields);
}
