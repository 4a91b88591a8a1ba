export type { CustomFetchOptions } from './custom-fetch.ts';
export type { EgressPolicy } from './destination.ts';
export { createEgress, type Egress, type EgressOptions } from './egress.ts';
export type { EgressRequest, EgressResponse } from './fetch.ts';
export type { ListenerAddress } from './guard.ts';
export { forwardableRequestHeaders, plainName, type RawHeaders } from './headers.ts';
export type { Resolve } from './resolve.ts';
export { pipeTo, type ResponseSinkOptions } from './response-sink.ts';
export type { StreamFlow, StreamOutcome, StreamRequest, StreamSink } from './stream.ts';
