import { z } from 'zod';

/** Where the answer goes, fully checked: from here on an error may be told to the client. */
const answerTarget = {
  /** How it gets there: query or fragment of the redirect URI, a message to the client's window, or only a page. */
  responseMode: z.enum(['query', 'fragment', 'message', 'page']),
  /** Null for the modes without a redirect. */
  redirectUri: z.string().nullable(),
  /** For `message`: the trusted origin. */
  origin: z.string().nullable(),
  requestId: z.string().nullable(),
  state: z.string().nullable(),
};

/** A checked authorization request, as the database keeps it with the flow or the pushed request. */
export const authorizationRequestSchema = z.object({
  ...answerTarget,
  responseType: z.enum(['code', 'token', 'none']),
  scope: z.string(),
  codeChallenge: z.string().nullable(),
  /** Thumbprint of the key that the code is bound to (RFC 9449 §10). Absent in what an earlier release has kept. */
  dpopJkt: z.string().nullable().default(null),
  /** Null where the request does not speak of them: then an account that is there keeps its own. */
  customProperties: z.record(z.string(), z.unknown()).nullable(),
  rawParameters: z.record(z.string(), z.string()),
  /** Fills a user name in; passed on as `login_hint`. */
  accountHint: z.string().nullable(),
  endUser: z.string().nullable(),
  reconnectAccountId: z.number().nullable(),
});

export type AuthorizationRequest = z.output<typeof authorizationRequestSchema>;
export type AnswerTarget = Pick<AuthorizationRequest, keyof typeof answerTarget>;
