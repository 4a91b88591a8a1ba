import type { ApplicationId, Clock } from '@bulkhead/base';
import type { AnyRoute, IncomingCall } from '@bulkhead/http';
import { isNamedOnly, type Principal } from '../access/index.ts';
import type { RateLimits } from '../config/index.ts';
import { rateErrors } from './rate-errors.ts';
import { RequestBudget } from './request-budget.ts';

/** A quota that is used up is whole again after this. It is also how much may come at once. */
const WINDOW_SECONDS = 5;

interface Limit {
  readonly budget: RequestBudget;
  /** The `RateLimit-Policy` of every answer. */
  readonly policy: string;
}

/**
 * How many requests each tenant may make (T5), by class of route: of an Application, or of an organization at the Meta API. In the memory
 * of this process; docs/decisions/0030. Only who has proved who they are is counted, so that nobody spends another's quota.
 */
export class RequestRates {
  readonly #clock: Clock;
  readonly #since: number;
  readonly #limits: ReadonlyMap<string, Limit>;

  constructor(clock: Clock, perSecond: RateLimits) {
    this.#clock = clock;
    this.#since = clock.now();
    this.#limits = new Map(
      Object.entries(perSecond).flatMap(([name, rate]): [string, Limit][] => {
        if (rate === null) return [];
        const budget = new RequestBudget(rate, WINDOW_SECONDS);
        return [[name, { budget, policy: `"${name}";q=${budget.quota};w=${WINDOW_SECONDS}` }]];
      }),
    );
  }

  /**
   * Counts a request against the quota of its caller, and has the answer say what is left of it (`RateLimit`, `RateLimit-Policy`:
   * draft-ietf-httpapi-ratelimit-headers). A public client has proved nothing yet: it is refused where the quota is used up, and
   * counted by `charge` once its request has changed something, which takes a code or a token.
   * @throws rate.exceeded
   */
  take(principal: Principal, { rateClass }: Pick<AnyRoute, 'rateClass'>, call: IncomingCall): void {
    const party = principal.kind === 'meta_token' ? 'organization' : 'Application';
    this.#take({ owner: quotaOwner(principal), party, spends: !isNamedOnly(principal) }, rateClass, call);
  }

  /**
   * The same for a request without a principal that has proved for which Application it comes: by a web trigger.
   * @throws rate.exceeded
   */
  takeOf(applicationId: ApplicationId, { rateClass }: Pick<AnyRoute, 'rateClass'>, call: IncomingCall): void {
    this.#take({ owner: applicationId, party: 'Application', spends: true }, rateClass, call);
  }

  #take({ owner, party, spends }: { owner: string; party: string; spends: boolean }, rateClass: string, call: IncomingCall): void {
    const limit = this.#limits.get(rateClass);
    if (limit === undefined) return;
    const { budget, policy } = limit;
    const left = budget.take(owner, this.#clock.now() - this.#since, spends);
    call.answerFields = ['ratelimit-policy', policy, 'ratelimit', `"${rateClass}";r=${left.requests};t=${left.wholeInSeconds}`];
    if (left.waitSeconds === 0) return;
    throw rateErrors('rate.exceeded', {
      params: { quota: budget.quota, rateClass, window: WINDOW_SECONDS, party },
      retryAfterSeconds: left.waitSeconds,
    });
  }

  /** Counts what `take` has let through uncounted. */
  charge(principal: Principal | null, { rateClass }: AnyRoute): void {
    if (principal === null || !isNamedOnly(principal)) return;
    this.#limits.get(rateClass)?.budget.charge(quotaOwner(principal), this.#clock.now() - this.#since);
  }
}

/** A public client uses its Application's. */
function quotaOwner(principal: Principal): string {
  return principal.kind === 'meta_token' ? principal.organizationId : principal.applicationId;
}
