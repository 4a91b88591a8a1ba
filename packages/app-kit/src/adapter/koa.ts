import type { IncomingMessage } from 'node:http';
import type { AppAnswer, AppKit } from '../app-kit.ts';
import { type Guard, keepVerified } from './guard.ts';
import { answerMessage, verifyMessage } from './node-http.ts';

/** What the kit uses of Koa's context. */
export interface KoaContext {
  readonly req: IncomingMessage;
  /** Of the request line, also below a mounted application. */
  readonly originalUrl: string;
  status: number;
  body: unknown;
  set(values: Record<string, string>): void;
}
export type KoaMiddleware = (context: KoaContext, next: () => Promise<unknown>) => Promise<void>;

/** Answers the descriptor and the lifecycle calls: `server.use(koaKit(kit))`, before every body parser. */
export function koaKit(kit: AppKit): KoaMiddleware {
  return async (context, next) => {
    const answer = await answerMessage(kit, context.req, context.originalUrl);
    if (answer === null) await next();
    else send(context, answer);
  };
}

/** Lets a request through whose token is good: `router.get('/page', koaGuard(kit, { token: 'request' }), …)`, then `verifiedOf(context)`. */
export function koaGuard(kit: AppKit, guard: Guard): KoaMiddleware {
  return async (context, next) => {
    const token = await verifyMessage(kit, guard, context.req, context.originalUrl);
    if ('status' in token) return send(context, token);
    keepVerified(context, token);
    await next();
  };
}

function send(context: KoaContext, { status, headers, body }: AppAnswer): void {
  context.status = status;
  context.set({ ...headers });
  context.body = body;
}
