export { NoDatabaseYet, withDatabase } from './administration.ts';
export { type Bulkhead, type StartOptions, startBulkhead } from './bulkhead.ts';
export { closeInReverse } from './closing.ts';
export { examineMachine } from './doctor/examine-machine.ts';
export { claimedKeys } from './claimed-keys.ts';
export { pinoLog } from './pino-log.ts';
export { issueTemporaryMetaToken, type TemporaryMetaToken } from './temporary-meta-token.ts';
