import type { ApplicationId, Log } from '@bulkhead/base';
import { httpErrors, type IncomingCall } from '@bulkhead/http';
import type { Tx } from '@bulkhead/postgres';
import { type Actor, actorOf, type Principal } from './principal.ts';

/**
 * Marks, in the transaction of a change, that the change was made under this request's Idempotency-Key. Throws where an earlier try
 * under the key has made it already, and with it the transaction fails.
 */
export interface ChangeFence {
  readonly application: (tx: Tx, applicationId: ApplicationId) => Promise<void>;
  readonly organization: (tx: Tx, organizationId: string) => Promise<void>;
}

/** What a handler knows of the request: who calls, for which tenant, when. First argument of every use case. */
export class RequestContext<Caller extends Principal | null = Principal | null> {
  readonly requestId: string;
  readonly principal: Caller;
  /** Read once per request; every expiry of the request is judged by it. */
  readonly now: Date;
  readonly call: IncomingCall;
  /** Action the route declared, for the audit entry that the change must write. */
  readonly auditAction: string | null;
  readonly #applicationId: ApplicationId | null;
  #log: Log | (() => Log);
  #audited = false;
  #changed = false;
  #subject: ApplicationId | null = null;

  constructor(fields: {
    requestId: string;
    principal: Caller;
    applicationId: ApplicationId | null;
    now: Date;
    /** Or how to make one, for the few requests that say something. */
    log: Log | (() => Log);
    call: IncomingCall;
    auditAction: string | null;
  }) {
    this.requestId = fields.requestId;
    this.principal = fields.principal;
    this.now = fields.now;
    this.#log = fields.log;
    this.call = fields.call;
    this.auditAction = fields.auditAction;
    this.#applicationId = fields.applicationId;
  }

  get log(): Log {
    if (typeof this.#log === 'function') this.#log = this.#log();
    return this.#log;
  }

  /** The tenant, taken from the credential (or, for a Meta token, from a path checked to be its organization's). */
  get applicationId(): ApplicationId {
    if (this.#applicationId === null) throw httpErrors('server_error', { detail: 'this route has no Application' });
    return this.#applicationId;
  }

  /** The Application that the answer is about: the request's own, or the one that was born of it. Null where there is none. */
  get subject(): ApplicationId | null {
    return this.#applicationId ?? this.#subject;
  }

  /** Says so of an Application that the request has made: what is kept of the answer ends with that Application. */
  concerns(applicationId: ApplicationId): void {
    this.#subject = applicationId;
  }

  get actor(): Actor {
    return actorOf(this.principal);
  }

  get signal(): AbortSignal {
    return this.call.signal;
  }

  /** For a request with an Idempotency-Key; `audit/` passes every change by it. */
  fence: ChangeFence | null = null;

  /** Called by `audit/` when an entry was written, and by a use case that found nothing to change. */
  markAudited({ changed = true }: { readonly changed?: boolean } = {}): void {
    this.#audited = true;
    this.#changed ||= changed;
  }

  /** Whether an entry was written: something has been changed. */
  get changed(): boolean {
    return this.#changed;
  }

  get audited(): boolean {
    return this.#audited;
  }
}
