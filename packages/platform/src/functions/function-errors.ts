import { defineErrors } from '@bulkhead/base';

export const functionErrors = defineErrors({
  'function.app_unknown': {
    status: 404,
    wire: 'not_found',
    text: 'Your organization has registered no App of this key. Register it first: POST /v1/meta/apps.',
  },
  'function.triggers_without_read': {
    status: 409,
    wire: 'conflict',
    text: 'The descriptor of this App asks for no READ, which triggers on events need as its webhooks do: add it to scopes, register the App again, and install it with that.',
  },
  'function.not_deployed': {
    status: 409,
    wire: 'conflict',
    text: 'Nothing is deployed for the App "{app_key}" in the environment "{environment}".',
  },
  'function.not_joined': {
    status: 409,
    wire: 'conflict',
    text: 'The App "{app_key}" is not in the environment "{environment}" for this Application. Let it join: PUT …/installs/{app_key}/environments/{environment}.',
  },
  'function.not_approved': {
    status: 409,
    wire: 'conflict',
    text: 'Each version of "{app_key}" in the environment "{environment}" requests what was not approved for this install: {permissions}. Approve it: PUT …/installs/{app_key}/environments/{environment}.',
  },
  'function.permissions_differ': {
    status: 409,
    wire: 'conflict',
    text: 'The newest version requests {requested}. Whoever approves it names exactly these as "permissions".',
  },
  'function.does_not_load': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'Nothing was deployed, because the code does not load: {problem}',
  },
  'function.production_stays': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'Every install is in the environment "production", which stays as long as the App is registered.',
  },
  'function.versions_full': {
    status: 409,
    wire: 'conflict',
    text: 'At most {limit} versions are kept in the environment "{environment}", and each of them is the newest that is approved for some install. Approve the newest for those that wait.',
  },
  'function.environments_full': { status: 409, wire: 'conflict', text: 'An App has at most {limit} environments. Remove one first.' },
  'function.environment_large': {
    status: 503,
    wire: 'service_not_available',
    text: 'Nothing runs in the environment "{environment}" any more, but not all that was kept in it is deleted yet. Remove it again.',
  },
  'function.variables_full': {
    status: 409,
    wire: 'conflict',
    text: 'An environment, and an install in it, has at most {limit} variables.',
  },
  'function.no_version': {
    status: 409,
    wire: 'conflict',
    text: 'There is no such version of "{app_key}" in the environment "{environment}" to go back to.',
  },
  'function.unknown': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The code that is deployed in the environment "{environment}" has no function "{function}". It has: {known}.',
  },
  'function.limit_too_high': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The function "{function}" asks for {limit}: {asked}. This server allows {allowed} at most; its operator may allow more (BULKHEAD_FUNCTION_LIMITS).',
  },
  'function.install_disabled': { status: 409, wire: 'conflict', text: 'The App "{app_key}" is disabled in this Application.' },
  'function.user_not_granted': {
    status: 409,
    wire: 'conflict',
    text: 'The App "{app_key}" was not granted ACT_AS_USER in this Application, so no function of it is called for an end user.',
  },
  'function.user_unknown': { status: 400, wire: 'invalid_parameters', text: 'No account of this Application is of this end user.' },
  'function.no_runner': { status: 503, wire: 'service_not_available', text: 'Functions cannot run here: {reason}.' },
  'function.busy': {
    status: 429,
    wire: 'too_many_requests',
    text: 'Too many calls of this install are waiting, or the machine has no place for another. Try again in a moment.',
  },
  'function.suspended': {
    status: 429,
    wire: 'too_many_requests',
    text: 'The functions of this install had to be killed again and again, and start no more for a while.',
  },
  'function.job_without_function': {
    status: 409,
    wire: 'conflict',
    text: 'No version that runs here declares the {source} "{name}".',
  },
  'function.queue_unknown': {
    status: 400,
    wire: 'invalid_parameters',
    text: 'The manifest of the code that runs declares no queue "{queue}": add it to queues and deploy again.',
  },
  'function.jobs_too_fast': {
    status: 429,
    wire: 'too_many_requests',
    text: 'The functions of an install push at most {limit} jobs a minute per environment.',
  },
  'function.jobs_full': {
    status: 429,
    wire: 'too_many_requests',
    text: 'At most {limit} jobs of an install wait per environment.',
  },
  'function.jobs_in_circles': {
    status: 409,
    wire: 'conflict',
    text: 'Each of {limit} jobs has pushed the next; the last of them may push no more.',
  },
  'function.job_not_over': { status: 409, wire: 'conflict', text: 'Only a job that has failed can be tried again.' },
  'function.egress_undeclared': {
    status: 403,
    wire: 'forbidden',
    text: 'The manifest does not declare the host {host}: add it to permissions.external.fetch.backend and deploy again.',
  },
});
