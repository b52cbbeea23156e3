import { createHash } from 'node:crypto';

const sha256 = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** What a delivery's object is named by: SHA-256 over its id, a line feed, which no id holds, and its body. */
export const deliverySha256 = (deliveryId: string, body: Uint8Array): string => sha256(deliveryId, '\n', body);

/** Name of the marker that says which body a delivery had, in the ops bucket. An id comes from outside, so it is never part of a name. */
export const deliveryMarker = (source: string, deliveryId: string): string =>
  `_deliveries/${source}/${sha256(deliveryId)}.json`;

/** SHA-256 of a body, hex. */
export const bodySha256 = (body: Uint8Array): string => sha256(body);
