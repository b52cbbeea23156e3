import { writeContainer } from '../../src/formats/avro-container.ts';

/** A message as a Cloud Storage subscription archives it. */
export interface ArchivedMessage {
  id?: string;
  /** Microseconds since 1970. */
  publishTime?: bigint;
  attributes?: Record<string, string>;
  data: string | Buffer;
}

const DATA = { name: 'data', type: 'bytes' };

// As Google writes them (docs: "Cloud Storage subscriptions", Avro).
const PLAIN = { type: 'record', namespace: 'com.google.pubsub', name: 'PubsubMessage', fields: [DATA] };
const WITH_METADATA = {
  type: 'record',
  namespace: 'com.google.pubsub',
  name: 'PubsubMessageWithMetadata',
  fields: [
    { name: 'subscription_name', type: 'string' },
    { name: 'message_id', type: 'string' },
    { name: 'publish_time', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'attributes', type: { type: 'map', values: 'string' } },
    DATA,
  ],
};

/** An object of an archive, with metadata or without. */
export function archive(messages: ArchivedMessage[], metadata = true): Buffer {
  const records = messages.map(({ id = '', publishTime = 0n, attributes = {}, data }) => ({
    ...(metadata ? { subscription_name: 'archive', message_id: id, publish_time: publishTime, attributes } : {}),
    data: Buffer.from(data as string),
  }));
  return writeContainer(metadata ? WITH_METADATA : PLAIN, {}, records);
}
