import { z } from 'zod';
import { tokenConfirmation } from './dpop.ts';
import { passthroughDetail } from '../passthrough/passthrough-detail.ts';

/** `GET /v1/oauth/token`: whose token this is, as Kloudless's clients ask it before they trust one. */
export const tokenInfo = z.object({
  client_id: z.string().meta({ description: 'Application id. Compare it with yours.' }),
  account_id: z.int(),
  scope: z.string(),
  expires_in: z.int().optional().meta({ description: 'Seconds left; absent for a token that does not expire.' }),
  expires: z.string().nullable().meta({ description: 'The same as a time (ISO 8601), null for a token that does not expire.' }),
  end_user: z.string().optional(),
  cnf: tokenConfirmation.optional(),
  authorization_details: z.array(passthroughDetail).optional().meta({ description: 'Limits of an exchanged token (RFC 9396).' }),
});
export type TokenInfo = z.output<typeof tokenInfo>;
