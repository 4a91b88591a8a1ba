import { z } from 'zod';
import { applicationFields, oauthKeyBody } from '../applications/index.ts';
import { webhookBody } from '../webhooks/index.ts';

/** `POST /v1/meta/applications`. With `source` everything else is an override. */
export const createApplicationBody = z.strictObject({
  ...applicationFields,
  name: z.string().trim().min(1).max(200).meta({ description: 'Shown on the connect page unless branding has a display name.' }),
  source: z.string().min(1).max(100).optional().meta({ description: 'Id of the Application to copy.' }),
  redirect_uris: z.array(z.string().min(1).max(2048)).max(1000).optional(),
  trusted_domains: z.array(z.string().min(1).max(259)).max(1000).optional(),
  oauth_keys: z.array(oauthKeyBody).max(500).optional(),
  webhooks: z.array(webhookBody).max(200).optional(),
});
