export { forgetInvocations } from './forget-invocations.ts';
export { FUNCTION_LIMITS_MAX } from './function-limits.ts';
export { functionRoutes } from './function-routes.ts';
export { type FunctionLimits, type FunctionRunner, noRunner, type RunnerCall } from './function-runner.ts';
export { invocationAuthenticator } from './invocation-authenticator.ts';
export { invocationLogs } from './invocation-store.ts';
export { runnerRoutes } from './runner-routes.ts';
export { storageValues } from './storage-store.ts';
