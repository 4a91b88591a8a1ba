import { defineErrors } from '@bulkhead/base';

const refusals = {
  'app_kit.unauthorized': { status: 401, wire: 'unauthorized', text: 'The request carries no token that counts here.' },
  'app_kit.malformed': { status: 400, wire: 'bad_request', text: 'The lifecycle call does not have the form of one.' },
  'app_kit.too_large': { status: 413, wire: 'request_too_large', text: 'The body is larger than this App reads.' },
  'app_kit.host_refused': { status: 403, wire: 'forbidden', text: 'The base URL is not of a host that this App may be installed by.' },
  'app_kit.base_url_changed': {
    status: 403,
    wire: 'forbidden',
    text: 'This tenant was installed with another base URL. Uninstall it there, or allow the change in the App.',
  },
  'app_kit.key_server_unavailable': {
    status: 503,
    wire: 'service_not_available',
    text: 'The public key of the host could not be had. Try again later.',
  },
  'app_kit.busy': { status: 429, wire: 'too_many_requests', text: 'Too many tokens of this tenant at once. Try again later.' },
  'app_kit.foreign_origin': { status: 400, wire: 'bad_request', text: "An App signs requests to its tenant's own host only." },
  'app_kit.record_changed': {
    status: 409,
    wire: 'conflict',
    text: 'The record was changed, made or deleted meanwhile. Read it again, then decide.',
  },
  'app_kit.host_full': {
    status: 507,
    wire: 'request_failed',
    text: "The tenant's host keeps no more for this App. Delete something there first.",
  },
  'app_kit.host_failed': { status: 502, wire: 'bad_gateway', text: "The tenant's host did not answer as it should." },
  'app_kit.impersonation_refused': {
    status: 502,
    wire: 'bad_gateway',
    text: 'The host gave no token for this user. Has the App the scope ACT_AS_USER, and may the user use it?',
  },
} as const;

/** Why the kit refused. Branch on it: `error.code`; `error.detail` is for your log and never for a caller. */
export type AppRefusal = keyof typeof refusals;

export const appRefusals = defineErrors<AppRefusal>(refusals);
