export { forgetPastInbound } from './forget-past.ts';
export { inboundMessageRoutes } from './inbound-message-routes.ts';
export { inboundPayloads } from './inbound-message-store.ts';
export { inboundWebhookRoutes } from './inbound-webhook-routes.ts';
export { inboundSecrets, secondaryInboundSecrets } from './inbound-webhook-store.ts';
export { receiveRoutes } from './receive-routes.ts';
