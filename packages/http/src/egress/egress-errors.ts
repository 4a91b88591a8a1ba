import { defineErrors, PlatformError } from '@bulkhead/base';

/**
 * What a caller may learn about an outbound call that failed. One text per outcome, whatever the reason: which address a
 * name has, which port is open and what answered stays in the log, so that nobody can map a network through us.
 */
export const egressErrors = defineErrors({
  'egress.url_invalid': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The URL cannot be called: {reason}.',
  },
  'egress.refused': {
    status: 400,
    wire: 'bad_request',
    text: 'The address cannot be called. It must have a public address, or one that the operator of this server has opened with BULKHEAD_EGRESS_ALLOW.',
  },
  'egress.unreachable': {
    status: 502,
    wire: 'bad_gateway',
    text: 'The remote server gave no usable answer. Try again later.',
  },
  'egress.timeout': {
    status: 504,
    wire: 'gateway_timeout',
    text: 'The remote server took too long to answer. Try again later.',
  },
  'egress.too_large': {
    status: 502,
    wire: 'bad_gateway',
    text: 'The answer of the remote server is larger than this call accepts.',
  },
  'egress.allow_list_invalid': {
    status: 500,
    wire: 'internal_error',
    text: 'The list of allowed outbound destinations has an entry that is neither a CIDR nor host:port: "{entry}".',
  },
});

const TIMEOUT_CODES = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT', 'ETIMEOUT']);

/** The `code` of a thrown value, or ''. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Whatever the network threw, as one of ours; the original stays as the cause, for the log only. */
export function asEgressError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  const code = errorCode(error);
  // Node reports a host whose every address failed as one AggregateError without a code of its own.
  const timedOut =
    TIMEOUT_CODES.has(code) || (error instanceof AggregateError && error.errors.every((each) => TIMEOUT_CODES.has(errorCode(each))));
  const refusedByForm = code === 'UND_ERR_INVALID_ARG';
  return egressErrors(timedOut ? 'egress.timeout' : refusedByForm ? 'egress.refused' : 'egress.unreachable', {
    cause: error,
    detail: code || (error instanceof Error ? error.message : String(error)),
  });
}
