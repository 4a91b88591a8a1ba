import type { IncomingMessage } from 'node:http';
import type { AppAnswer, AppKit } from '../app-kit.ts';
import { type Guard, keepVerified } from './guard.ts';
import { answerMessage, verifyMessage } from './node-http.ts';

/** What the kit uses of Fastify's request and reply. */
export interface FastifyCall {
  readonly raw: IncomingMessage;
  readonly originalUrl: string;
}
export interface FastifyAnswer {
  code(status: number): FastifyAnswer;
  headers(values: Record<string, string>): FastifyAnswer;
  send(body: string): FastifyAnswer;
}
export type FastifyHook = (request: FastifyCall, reply: FastifyAnswer) => Promise<FastifyAnswer | undefined>;

/** Answers the descriptor and the lifecycle calls: `server.addHook('onRequest', fastifyKit(kit))`, which runs before any body is read. */
export function fastifyKit(kit: AppKit): FastifyHook {
  return async ({ raw, originalUrl }, reply) => {
    const answer = await answerMessage(kit, raw, originalUrl);
    return answer === null ? undefined : send(reply, answer);
  };
}

/** Lets a request through whose token is good: `{ onRequest: fastifyGuard(kit, { token: 'request' }) }`, then `verifiedOf(request)`. */
export function fastifyGuard(kit: AppKit, guard: Guard): FastifyHook {
  return async (request, reply) => {
    const token = await verifyMessage(kit, guard, request.raw, request.originalUrl);
    if ('status' in token) return send(reply, token);
    keepVerified(request, token);
    return undefined;
  };
}

function send(reply: FastifyAnswer, { status, headers, body }: AppAnswer): FastifyAnswer {
  return reply
    .code(status)
    .headers({ ...headers })
    .send(body);
}
