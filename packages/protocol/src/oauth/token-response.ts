import { z } from 'zod';
import { passthroughDetail } from '../passthrough/passthrough-detail.ts';

/** RFC 6749 §5.1, with Kloudless's `account_id`; RFC 8693 §2.2.1 adds `issued_token_type`, RFC 9396 §7 the details granted. */
export const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z
    .enum(['Bearer', 'DPoP'])
    .meta({ description: '`DPoP` where the request held a proof: the token is bound to its key (RFC 9449 §5).' }),
  scope: z.string(),
  account_id: z.int(),
  expires_in: z.int().optional().meta({ description: 'Seconds; absent for a token that does not expire.' }),
  refresh_token: z.string().optional(),
  end_user: z.string().optional(),
  issued_token_type: z.string().optional(),
  authorization_details: z.array(passthroughDetail).optional(),
});
export type TokenResponse = z.output<typeof tokenResponse>;
