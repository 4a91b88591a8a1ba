export { webhookDeliveryRoutes } from './delivery-routes.ts';
export { webhookDeliveries } from './webhook-endpoint.ts';
export { webhookBody, webhookRoutes } from './webhook-routes.ts';
export {
  addWebhook,
  changeWebhook,
  cloneWebhooks,
  deleteWebhook,
  listWebhooks,
  previousWebhookSecrets,
  webhookSecrets,
} from './webhook-store.ts';
