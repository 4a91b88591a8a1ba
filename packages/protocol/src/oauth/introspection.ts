import { z } from 'zod';
import { tokenConfirmation } from './dpop.ts';
import { passthroughDetail } from '../passthrough/passthrough-detail.ts';

/** RFC 7662 §2.1. Loose: client credentials may stand beside. */
export const introspectionRequest = z.looseObject({ token: z.string(), token_type_hint: z.string().optional() });

/** RFC 7662 §2.2. An inactive token is `{"active": false}` and nothing else, whatever the reason. */
export const introspectionResponse = z.object({
  active: z.boolean(),
  scope: z.string().optional(),
  client_id: z.string().optional(),
  token_type: z.string().optional(),
  iss: z.string().optional(),
  iat: z.int().optional(),
  exp: z.int().optional(),
  account_id: z.int().optional(),
  end_user: z.string().optional(),
  cnf: tokenConfirmation.optional(),
  authorization_details: z.array(passthroughDetail).optional().meta({ description: 'RFC 9396 §9.2.' }),
});
export type IntrospectionResponse = z.output<typeof introspectionResponse>;
