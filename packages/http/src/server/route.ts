import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** How the server reads the body: parsed by schema from JSON (or a form), or left as a stream to the handler. */
export type BodyForm = 'json' | 'form-or-json' | 'stream';

/** Which shape an error of this route takes: REST problem object, RFC 6749 §5.2 object, or a page for a person. */
export type ErrorShape = 'rest' | 'oauth' | 'page';

/** Requests of one class share a budget. */
export type RateClass = 'meta' | 'api' | 'oauth' | 'page' | 'passthrough' | 'inbound' | 'webtrigger' | 'health';

/** What the request held, raw, for the few handlers that need it. */
export interface RawRequest {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  /** Path and query exactly as they came, before any decoding. */
  readonly target: string;
  /** Stops when the caller leaves. */
  readonly signal: AbortSignal;
}

/** The part of a request that is known before its body is validated. */
export interface IncomingCall {
  readonly requestId: string;
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | string[]>>;
  /** Fields of a form body, for client authentication in the body (RFC 6749 §2.3.1); empty for others. */
  readonly form: Readonly<Record<string, string | string[]>>;
  readonly remoteAddress: string;
  readonly signal: AbortSignal;
  /** Names and values of header fields, in turn, that whatever the server answers gets; not what a handler sends by itself. */
  answerFields?: readonly string[];
}

export interface Answer<Body = unknown> {
  readonly status: number;
  /** Absent for 204 and redirects. A string is sent as it is (HTML); anything else is parsed by the declared schema and sent as JSON. A frozen object is the same JSON each time. */
  readonly body?: Body;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** A handler that has written to the raw response itself (pass-through). */
export const ALREADY_SENT = Symbol('already sent');

type Infer<Schema extends z.ZodType | undefined, Otherwise> = Schema extends z.ZodType ? z.output<Schema> : Otherwise;

export interface RouteInput<Params extends z.ZodType | undefined, Query extends z.ZodType | undefined, Body extends z.ZodType | undefined> {
  readonly params: Infer<Params, Record<string, never>>;
  readonly query: Infer<Query, Record<string, never>>;
  readonly body: Infer<Body, undefined>;
  readonly raw: RawRequest;
}

/**
 * The only way in. What is not declared here is not served: method, path, schemas, who may call, under which scope,
 * which budget it uses, and what the audit log will say. OpenAPI, the isolation matrix and the reference come from it.
 */
export interface RouteDeclaration<
  Context,
  Credential extends string,
  Params extends z.ZodType | undefined = z.ZodType | undefined,
  Query extends z.ZodType | undefined = z.ZodType | undefined,
  Body extends z.ZodType | undefined = z.ZodType | undefined,
> {
  /** `noun.verb`, unique: the OpenAPI operationId. */
  readonly id: string;
  readonly method: Method | 'ANY';
  /** With `{name}` places, as in OpenAPI; `{name...}` at the end takes the rest of the path. */
  readonly path: string;
  readonly summary: string;
  /** Who may call; empty means anybody, and says so in the reference. */
  readonly credentials: readonly Credential[];
  /** What the credential must allow; null where the credential kind alone decides. */
  readonly scope: string | null;
  readonly rateClass: RateClass;
  /** Action in the audit log; null for what changes nothing. */
  readonly audit: string | null;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly bodyForm?: BodyForm;
  /** Success answers by status; null for one without a JSON body. */
  readonly answers: Readonly<Record<number, z.ZodType | null>>;
  readonly errors?: ErrorShape;
  /** Browsers of other origins may call it (Kloudless's browser libraries do). */
  readonly cors?: boolean;
  /** How a bad bearer is told, where a Kloudless client branches on another status than 401. */
  readonly invalidToken?: (call: IncomingCall) => 'token.invalid' | 'token.invalid_at_verify' | 'token.invalid_at_picker';
  /** A POST that honours `Idempotency-Key`; true for POSTs unless switched off. */
  readonly idempotent?: boolean;
  readonly handler: (context: Context, input: RouteInput<Params, Query, Body>) => Promise<Answer | typeof ALREADY_SENT>;
}

/** A declaration whose schema types are forgotten, as the registry keeps it. */
// oxlint-disable-next-line typescript/no-explicit-any -- a handler's input type is contravariant; the server only calls it with what these schemas parsed.
export type AnyRoute = RouteDeclaration<any, string, any, any, any>;

/** Route declarer for a context type: `const route = routeFor<RequestContext, Credential>()`. */
export function routeFor<Context, Credential extends string>() {
  return <
    Params extends z.ZodType | undefined = undefined,
    Query extends z.ZodType | undefined = undefined,
    Body extends z.ZodType | undefined = undefined,
  >(
    declaration: RouteDeclaration<Context, Credential, Params, Query, Body>,
  ): AnyRoute => declaration;
}
