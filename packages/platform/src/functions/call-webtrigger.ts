import { applicationId as applicationIds, type ApplicationId, PlatformError } from '@bulkhead/base';
import type { DeclaredWebtrigger } from '@bulkhead/protocol';
import type { InboundRequest } from '../inbound/index.ts';
import { enterInstall } from '../installs/index.ts';
import { type CallableFunction, callFunction, type CallingParts } from './call-function.ts';
import type { InvocationResult, LogLine } from './function-runner.ts';
import { findRunning } from './running-version.ts';
import { type WebtriggerAnswer, webtriggerAnswer } from './webtrigger-answer.ts';
import { webtriggerErrors } from './webtrigger-errors.ts';
import { proveNothing, type ProvenCall, proveWebtriggerCall, secretKind } from './webtrigger-proof.ts';
import type { WebtriggerPayload } from './webtrigger-request.ts';
import { findWebtriggerHost, forgetWebtriggerUse, openWebtriggerSecrets, spendWebtriggerUse } from './webtrigger-store.ts';

/** Where a call goes, as its address says. Nothing of it is believed. */
export interface WebtriggerAddress {
  readonly applicationId: string;
  readonly appKey: string;
  /** Its key, and in another environment than production `@` and the name of that one. */
  readonly trigger: string;
}

/** A web trigger whose caller has proved that it may call. */
export interface ProvenWebtrigger {
  readonly callable: CallableFunction;
  readonly trigger: DeclaredWebtrigger;
  readonly once: ProvenCall['once'];
}

const PRODUCTION = 'production';
const NOBODY = 'org0000000000000000000000';

/**
 * The web trigger of an address, where the request proves that it may call it. Whatever is wrong, from an Application that there is not to a
 * signature that differs, is the same `webtrigger.not_found`.
 */
export async function findWebtrigger(
  { db, vault }: CallingParts,
  { applicationId: named, appKey, trigger: addressed }: WebtriggerAddress,
  request: InboundRequest,
  now: Date,
): Promise<ProvenWebtrigger> {
  const refused = webtriggerErrors('webtrigger.not_found');
  if (!applicationIds.is(named)) throw refused;
  const applicationId: ApplicationId = named;
  const host = await db.withTenant(applicationId, (tx) => findWebtriggerHost(tx, appKey));
  const organizationId = host?.organizationId ?? NOBODY;
  const clientKey = host?.clientKey ?? '';
  const [triggerKey, environment = PRODUCTION] = addressed.split('@', 2);
  const running = await findRunning(db, { applicationId, organizationId, clientKey, appKey, environment });
  const deployment = running.kind === 'runs' ? running.deployment : null;
  const trigger = deployment?.manifest.webtriggers?.find(({ key }) => key === triggerKey);
  if (deployment === null || trigger === undefined) {
    proveNothing(request, now);
    throw refused;
  }
  const { authentication } = trigger;
  const kind = secretKind(authentication);
  const secrets =
    kind === null
      ? []
      : await db.withTenant(applicationId, async (tx) =>
          openWebtriggerSecrets(
            await enterInstall(tx, clientKey),
            vault,
            { environment, triggerKey: trigger.key, authentication: kind },
            now,
          ),
        );
  const proven = proveWebtriggerCall(authentication, request, secrets, now);
  if (proven === null) throw refused;
  return { trigger, once: proven.once, callable: { applicationId, organizationId, clientKey, deployment, functionKey: trigger.function } };
}

/**
 * Calls the function of a web trigger. A signed request that came to nothing may come again. Throws `webtrigger.replayed`, `webtrigger.busy`,
 * `webtrigger.unavailable`, `webtrigger.failed`, `webtrigger.late`: what the function threw or returned stands in the log of the call.
 */
export async function callWebtrigger(
  parts: CallingParts,
  { callable, once }: ProvenWebtrigger,
  payload: WebtriggerPayload,
  now: Date,
): Promise<WebtriggerAnswer> {
  const { applicationId, clientKey } = callable;
  let answer: WebtriggerAnswer | undefined;
  let isSpent = false;
  try {
    const { result } = await callFunction(parts, callable, {
      payload,
      now,
      onBegin: async (tx) => {
        if (once === null) return;
        if (!(await spendWebtriggerUse(await enterInstall(tx, clientKey), { clientKey, ...once })))
          throw webtriggerErrors('webtrigger.replayed');
        isSpent = true;
      },
      conclude: (ended) => {
        if (ended.outcome.kind !== 'ok') return ended;
        const read = webtriggerAnswer(ended.outcome.value);
        if (typeof read === 'string') return withLine(ended, `no answer of a web trigger: ${read}`, parts.clock.now());
        answer = read;
        return ended;
      },
    });
    if (answer === undefined) throw failure(result);
    return answer;
  } catch (thrown) {
    if (once !== null && isSpent)
      await parts.db.withTenant(applicationId, async (tx) =>
        forgetWebtriggerUse(await enterInstall(tx, clientKey), { clientKey, digest: once.digest }),
      );
    throw publicError(thrown);
  }
}

function failure({ outcome }: InvocationResult): PlatformError {
  return webtriggerErrors(outcome.kind === 'timeout' ? 'webtrigger.late' : 'webtrigger.failed', { detail: outcome.kind });
}

/** Why a function cannot run here is the operator's to know; a caller is told when to come again. */
function publicError(thrown: unknown): unknown {
  if (!(thrown instanceof PlatformError)) return thrown;
  const again = { retryAfterSeconds: thrown.retryAfterSeconds ?? 1, detail: thrown.message };
  if (thrown.code === 'function.busy' || thrown.code === 'function.suspended') return webtriggerErrors('webtrigger.busy', again);
  return thrown.code === 'function.no_runner' ? webtriggerErrors('webtrigger.unavailable', again) : thrown;
}

function withLine(result: InvocationResult, message: string, at: number): InvocationResult {
  const line: LogLine = { at, level: 'error', message };
  return { ...result, logs: [...result.logs, line] };
}
