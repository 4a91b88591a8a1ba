import { z } from 'zod';
import { LIFECYCLE_EVENTS } from './descriptor.ts';

/**
 * What a host tells an App about one of its installs (POST, JSON). `clientKey` names the tenant in all calls of it; `baseUrl` is where the
 * App finds the tenant's host. `sharedSecret` comes with `installed` only, and is a new one each time.
 */
export const lifecycleEvent = z.looseObject({
  key: z.string().min(1).max(80),
  clientKey: z.string().min(1).max(255),
  oauthClientId: z.string().max(255).optional(),
  sharedSecret: z.string().min(32).max(512).optional(),
  baseUrl: z.string().min(1).max(2048),
  displayUrl: z.string().max(2048).optional(),
  productType: z.string().max(100).optional(),
  description: z.string().max(1000).optional(),
  serverVersion: z.string().max(100).optional(),
  pluginsVersion: z.string().max(100).optional(),
  eventType: z.enum(LIFECYCLE_EVENTS),
});

export type LifecycleEvent = z.output<typeof lifecycleEvent>;
