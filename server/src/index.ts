export { type Bulkhead, type StartOptions, startBulkhead } from './bulkhead.ts';
export { pinoLog } from './pino-log.ts';
