import { z } from 'zod';

/** RFC 7009 §2.1. Loose: client credentials may stand beside. */
export const revocationRequest = z.looseObject({ token: z.string(), token_type_hint: z.string().optional() });
