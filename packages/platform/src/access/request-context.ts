import type { ApplicationId, Log } from '@bulkhead/base';
import { httpErrors, type IncomingCall } from '@bulkhead/http';
import { type Actor, actorOf, type Principal } from './principal.ts';

/** What a handler knows of the request: who calls, for which tenant, when. First argument of every use case. */
export class RequestContext<Caller extends Principal | null = Principal | null> {
  readonly requestId: string;
  readonly principal: Caller;
  /** Read once per request; every expiry of the request is judged by it. */
  readonly now: Date;
  readonly log: Log;
  readonly call: IncomingCall;
  /** Action the route declared, for the audit entry that the change must write. */
  readonly auditAction: string | null;
  readonly #applicationId: ApplicationId | null;
  #audited = false;
  #subject: ApplicationId | null = null;

  constructor(fields: {
    requestId: string;
    principal: Caller;
    applicationId: ApplicationId | null;
    now: Date;
    log: Log;
    call: IncomingCall;
    auditAction: string | null;
  }) {
    this.requestId = fields.requestId;
    this.principal = fields.principal;
    this.now = fields.now;
    this.log = fields.log;
    this.call = fields.call;
    this.auditAction = fields.auditAction;
    this.#applicationId = fields.applicationId;
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

  /** Called by `audit/` when an entry was written. */
  markAudited(): void {
    this.#audited = true;
  }

  get audited(): boolean {
    return this.#audited;
  }
}
