export { webhookBody, webhookRoutes } from './webhook-routes.ts';
export { addWebhook, changeWebhook, cloneWebhooks, deleteWebhook, listWebhooks } from './webhook-store.ts';
