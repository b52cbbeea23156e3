export { bodySha256, deliveryMarker, deliverySha256 } from './delivery-name.ts';
export { ingestHandler } from './handler.ts';
export type { IngestResources } from './handler.ts';
export { receiveDelivery } from './receive.ts';
export type { Delivery, Received, ReceiveResources } from './receive.ts';
export { secretsOf, verifySignature } from './signature.ts';
