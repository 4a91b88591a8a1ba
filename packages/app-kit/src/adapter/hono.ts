import type { IncomingMessage } from 'node:http';
import type { AppAnswer, AppKit } from '../app-kit.ts';
import type { AppRequest } from '../app-request.ts';
import { readBounded } from '../outbound.ts';
import { appRefusals } from '../refusals.ts';
import { type Guard, keepVerified, verifyBy } from './guard.ts';
import { answerTo } from './node-http.ts';

const BODY_BYTES_MAX = 65_536;

/** What the kit uses of Hono's context. `env.incoming` is there under `@hono/node-server`. */
export interface HonoContext {
  readonly req: { readonly raw: Request };
  readonly env: unknown;
}
export type HonoMiddleware = (context: HonoContext, next: () => Promise<void>) => Promise<Response | undefined>;

/** Answers the descriptor and the lifecycle calls: `server.use(honoKit(kit))`. */
export function honoKit(kit: AppKit): HonoMiddleware {
  return async (context, next) => {
    const answer = await answerFetch(kit, context.req.raw, context.env);
    if (answer !== null) return answer;
    await next();
    return undefined;
  };
}

/** Lets a request through whose token is good: `server.get('/page', honoGuard(kit, { token: 'request' }), …)`, then `verifiedOf(context)`. */
export function honoGuard(kit: AppKit, guard: Guard): HonoMiddleware {
  return async (context, next) => {
    try {
      keepVerified(context, await verifyBy(kit, guard, fetchRequest(context.req.raw, context.env)));
    } catch (thrown) {
      return responseOf(answerTo(kit, thrown));
    }
    await next();
    return undefined;
  };
}

/** For any server that speaks `Request` and `Response`: the kit's answer, or null where it is not the kit's to answer. */
export async function answerFetch(kit: AppKit, raw: Request, env?: unknown): Promise<Response | null> {
  const request = fetchRequest(raw, env);
  if (!kit.owns(request.method, request.rawTarget)) return null;
  try {
    const text = await readBounded(raw, BODY_BYTES_MAX);
    if (text === null) throw appRefusals('app_kit.too_large');
    const answer = await kit.answer({ ...request, body: Buffer.from(text, 'utf8') });
    return answer === null ? null : responseOf(answer);
  } catch (thrown) {
    return responseOf(answerTo(kit, thrown));
  }
}

/**
 * A `Request` as the kit reads it. Its URL has lost the spelling of the request line (dots, some escapes), so the message of `node:http`
 * behind it is asked where there is one.
 */
export function fetchRequest(raw: Request, env?: unknown): AppRequest {
  const incoming = (env as { readonly incoming?: IncomingMessage } | undefined)?.incoming;
  if (incoming?.url !== undefined)
    return { method: incoming.method ?? 'GET', rawTarget: incoming.url, headers: incoming.headersDistinct, body: new Uint8Array() };
  const { pathname, search } = new URL(raw.url);
  return { method: raw.method, rawTarget: pathname + search, headers: Object.fromEntries(raw.headers), body: new Uint8Array() };
}

function responseOf({ status, headers, body }: AppAnswer): Response {
  return new Response(status === 204 ? null : body, { status, headers });
}
