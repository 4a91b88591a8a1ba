import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AppKit } from '../app-kit.ts';
import type { Guard } from './guard.ts';
import { answerMessage, sendNode, verifyMessage } from './node-http.ts';

/** A handler of Express 4 or 5, or of anything that calls handlers as they do (Connect, Restify). */
export type ExpressHandler = (
  request: IncomingMessage & { readonly originalUrl?: string },
  response: ServerResponse,
  next: (failure?: unknown) => void,
) => void;

/** Answers the descriptor and the lifecycle calls: `server.use(expressKit(kit))`, before every body parser. */
export function expressKit(kit: AppKit): ExpressHandler {
  return (request, response, next) => {
    answerMessage(kit, request, targetOf(request)).then((answer) => {
      if (answer === null) next();
      else sendNode(response, answer);
    }, next);
  };
}

/** Lets a request through whose token is good: `server.get('/page', expressGuard(kit, { token: 'request' }), …)`, then `verifiedOf(request)`. */
export function expressGuard(kit: AppKit, guard: Guard): ExpressHandler {
  return (request, response, next) => {
    verifyMessage(kit, guard, request, targetOf(request)).then((token) => {
      if ('status' in token) sendNode(response, token);
      else next();
    }, next);
  };
}

/** What was asked for, not what is left of it below a router. */
function targetOf({ originalUrl, url }: { readonly originalUrl?: string; readonly url?: string | undefined }): string {
  return originalUrl ?? url ?? '/';
}
