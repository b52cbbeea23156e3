import { createHash } from 'node:crypto';
import { protos } from '@google-cloud/pubsub';
import type { StreamedMessage } from '../../src/lakehouse/streams/index.ts';

const { PubsubMessage } = protos.google.pubsub.v1;

/**
 * A message as Beam's Java source hands it on: a PubsubMessage of protobuf, which has no publish time; that is the time of the element.
 *
 * @param publishMs milliseconds since 1970
 */
export function decodeMessage(bytes: Uint8Array, publishMs: number): StreamedMessage {
  const { messageId, attributes, data } = PubsubMessage.decode(bytes);
  return {
    id: messageId || contentId(bytes, publishMs),
    publishTime: String(BigInt(publishMs) * 1000n),
    attributes: { ...attributes },
    data: Buffer.from(data as Uint8Array).toString('base64'),
  };
}

/** Stands in for the id where the source loses it: the same in every delivery of a message. */
function contentId(bytes: Uint8Array, publishMs: number): string {
  return createHash('sha256').update(`${publishMs}\n`).update(bytes).digest('hex');
}
