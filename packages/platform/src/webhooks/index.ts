export { webhookBody, webhookRoutes } from './webhook-routes.ts';
export { addWebhook, changeWebhook, cloneWebhooks, deleteWebhook, listWebhooks, webhookSecrets } from './webhook-store.ts';
