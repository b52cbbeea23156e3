import { writeContainer } from '../../../src/formats/avro-container.ts';
import type { ExportContext } from '../deliveries.ts';
import { attributesWithKey } from '../messages.ts';
import type { Message } from '../messages.ts';
import type { SubscriptionSpec } from '../resources.ts';

/** How the files of a Cloud Storage subscription are written. */
export interface ArchiveFormat {
  contentType: string;
  /** What a file holds of a message, and its size. Throws Error, with what is wrong, for one that it cannot hold. */
  recordOf(message: Message): { record: unknown; bytes: number };
  /** The bytes of a file. */
  fileOf(records: unknown[]): Buffer;
}

const NAMESPACE = 'com.google.pubsub';

const METADATA_FIELDS = [
  { name: 'subscription_name', type: 'string' },
  { name: 'message_id', type: 'string' },
  { name: 'publish_time', type: { type: 'long', logicalType: 'timestamp-micros' } },
  { name: 'attributes', type: { type: 'map', values: 'string' } },
];

const DATA_FIELD = { name: 'data', type: 'bytes' };

const PLAIN = { type: 'record', namespace: NAMESPACE, name: 'PubsubMessage', fields: [DATA_FIELD] };

const WITH_METADATA = {
  type: 'record',
  namespace: NAMESPACE,
  name: 'PubsubMessageWithMetadata',
  fields: [...METADATA_FIELDS, DATA_FIELD],
};

/** A record of Avro, as JSON. */
interface RecordSchema {
  type?: unknown;
  fields?: { name: string }[];
}

/** The format that a subscription asks for; undefined: its topic's schema does not go with it (SCHEMA_MISMATCH). */
export function archiveFormat(spec: SubscriptionSpec, context: ExportContext): ArchiveFormat | undefined {
  const { avroConfig } = spec.cloudStorageConfig ?? {};
  if (!avroConfig) return TEXT;
  const metadata = avroConfig.writeMetadata ? (message: Message) => metadataOf(message, spec.name) : undefined;
  if (avroConfig.useTopicSchema) return byTopicSchema(spec, context, metadata);
  return avro(metadata ? WITH_METADATA : PLAIN, (message) => ({ ...metadata?.(message), data: bytesOf(message) }));
}

const TEXT: ArchiveFormat = {
  contentType: 'text/plain',
  recordOf(message) {
    const record = Buffer.concat([bytesOf(message), Buffer.from('\n')]);
    return { record, bytes: record.length };
  },
  fileOf: (records) => Buffer.concat(records as Buffer[]),
};

const bytesOf = ({ data }: Message): Buffer => data ?? Buffer.alloc(0);

function avro(schema: object, recordOf: (message: Message) => object): ArchiveFormat {
  return {
    contentType: 'application/avro',
    recordOf: (message) => ({ record: recordOf(message), bytes: bytesOf(message).length }),
    fileOf: (records) => writeContainer(schema, {}, records),
  };
}

function metadataOf(message: Message, subscription: string): Record<string, unknown> {
  const { seconds, nanos } = message.publishTime;
  return {
    subscription_name: subscription,
    message_id: message.messageId,
    publish_time: Number(seconds) * 1_000_000 + Math.floor(nanos / 1_000),
    attributes: attributesWithKey(message),
  };
}

/** The latest revision's fields, and after them the metadata. */
function byTopicSchema(
  spec: SubscriptionSpec,
  context: ExportContext,
  metadata: ((message: Message) => object) | undefined,
): ArchiveFormat | undefined {
  const [latest] = context.codecs(spec.topic);
  if (!latest) return undefined;
  const valueOf = (message: Message): object => {
    const { value, codec } = context.decode(message);
    return latest.adopt(value, codec) as object;
  };
  const schema = latest.definition as RecordSchema;
  if (!writable(schema)) return undefined;
  if (!metadata) return avro(schema, valueOf);
  const { fields = [] } = schema;
  if (fields.some(({ name }) => METADATA_FIELDS.some((own) => own.name === name))) return undefined;
  const extended = { ...schema, fields: [...fields, ...METADATA_FIELDS] };
  return avro(extended, (message) => ({ ...valueOf(message), ...metadata(message) }));
}

/** Our writer needs a record, and unions whose types differ in JavaScript too. */
function writable(schema: RecordSchema): boolean {
  if (schema.type !== 'record') return false;
  try {
    return writeContainer(schema, {}, []).length > 0;
  } catch {
    return false;
  }
}
