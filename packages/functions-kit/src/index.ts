import { type CallContext, host } from './host.ts';

export { type Account, accounts, type AccountCalls } from './accounts.ts';
export type { CallContext, JobContext } from './host.ts';
export { HostError } from './host-service.ts';
export { type ApplicationEvent, type EventPage, events } from './events.ts';
export { type JobHandle, type JobStats, type Pushed, type Queue, queue, retry } from './queue.ts';
export { storage } from './storage.ts';
export type {
  AttributeCondition,
  BatchItem,
  BatchResult,
  Condition,
  DeleteOptions,
  EntityQuery,
  Filter,
  Json,
  KeyQuery,
  PageOptions,
  RecordPage,
  Scalar,
  SetOptions,
  StoredRecord,
  TransactionItem,
  Written,
} from './storage-types.ts';
export { variables } from './variables.ts';
export { webTrigger } from './web-trigger.ts';

/** Of the call that runs here. Throws outside of a call. */
export function context(): CallContext {
  const found = host().context();
  if (found === null) throw new Error('No function is being called here');
  return found;
}

/** As the WHATWG fetch, to the hosts that the manifest declares. Throws an error named `DeniedError` for any other. */
export function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  return host().fetch(input, init);
}
