export { webhookBody, webhookRoutes } from './webhook-routes.ts';
export { addWebhook, cloneWebhooks } from './webhook-store.ts';
