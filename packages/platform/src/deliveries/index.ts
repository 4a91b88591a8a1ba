export type { Attempt, Delivery, DeliveryKind, DeliveryStatus, Endpoint, EndpointAnswer, Message, StopReason } from './delivery.ts';
export {
  cancelDeliveries,
  deleteDeliveries,
  hurryDeliveries,
  insertDelivery,
  listDeliveries,
  quietDeliveries,
  recordDelivery,
  replayDeliveries,
  replayDelivery,
} from './delivery-store.ts';
export { type DeliveryWorker, deliveryWorker } from './delivery-worker.ts';
export { clearEndpoint, deleteEndpoint, type EndpointHealth, endpointHealth } from './endpoint-store.ts';
export { sendSigned } from './send-delivery.ts';
