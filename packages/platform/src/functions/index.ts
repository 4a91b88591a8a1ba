export { forgetInvocations } from './forget-invocations.ts';
export { functionRoutes } from './function-routes.ts';
export { type FunctionRunner, noRunner, type RunnerCall } from './function-runner.ts';
export { invocationAuthenticator } from './invocation-authenticator.ts';
export { invocationLogs } from './invocation-store.ts';
export { runnerRoutes } from './runner-routes.ts';
export { storageDigestKeys } from './storage-store.ts';
export { storageValues } from './storage-value-store.ts';
