import { hourOfMicros, messageRecord } from '../../contracts/index.ts';
import type { CompiledContract, RawRecord, RecordContext } from '../../contracts/index.ts';
import { decodeUtf8 } from '../../formats/utf8.ts';
import { ARCHIVE_FEED, parseBronzeName, partitionOf } from '../bronze/index.ts';

/** A message as a subscription delivers it. */
export interface StreamedMessage {
  /** Pub/Sub's id. */
  id: string;
  /** Microseconds since 1970, in decimal digits. */
  publishTime: string;
  attributes: Record<string, string>;
  /** Base64. */
  data: string;
}

/** The record of a message, what carried it, and where it lies in Bronze. */
export interface StreamedRecord {
  record: RawRecord;
  context: RecordContext;
  /** Object of Bronze; of a message whose archive is yet to come, `_messages/<message id>`. */
  bronzeObject: string;
  /** `<feed>/YYYY-MM-DDTHH` */
  partition: string;
}

/** Where a message is told to lie of which Bronze has no name yet. */
export const MESSAGE_FOLDER = '_messages/';

const MICROS = /^\d{1,18}$/;

/** A message of the source's own topic: it is the record, and its archive comes to Bronze by a subscription of its own. */
function ofOwnTopic(contract: CompiledContract, message: StreamedMessage): StreamedRecord {
  const { id, publishTime, attributes, data } = message;
  const archived = {
    message_id: id,
    publish_time: BigInt(publishTime),
    attributes,
    data: Buffer.from(data, 'base64'),
  };
  const hour = hourOfMicros(BigInt(publishTime));
  return {
    record: messageRecord(contract, archived, 0),
    context: { carrierOrder: undefined, bronzeObject: '' },
    bronzeObject: `${MESSAGE_FOLDER}${id}`,
    partition: partitionOf({ feed: ARCHIVE_FEED, hour }),
  };
}

/** Why a message is none that our functions have published; undefined: it is one. */
function fault(contract: CompiledContract, { attributes }: StreamedMessage): string | undefined {
  const { source, record_id, bronze_object, malformed } = attributes;
  if (source !== contract.source) return `attributes.source: expected ${contract.source}`;
  if (!record_id) return 'attributes.record_id: expected an id';
  if (!bronze_object || !parseBronzeName(bronze_object))
    return 'attributes.bronze_object: expected an object of Bronze';
  return malformed;
}

function parse(data: string): { value: unknown; malformed?: string } {
  try {
    const text = decodeUtf8(Buffer.from(data, 'base64'));
    return { value: JSON.parse(text) };
  } catch {
    return { value: null, malformed: 'data: expected JSON in UTF-8' };
  }
}

/** Position in the object, which record ids of all but webhooks end in; a webhook's object holds one record. */
const offsetOf = (recordId = ''): number => Number(/#(\d+)$/.exec(recordId)?.[1] ?? 0);

/** A record that our functions landed in Bronze before they published it. */
function ofLanded(contract: CompiledContract, message: StreamedMessage): StreamedRecord {
  const { id, attributes, data } = message;
  const { record_id: recordId, bronze_object: bronzeObject = '', carrier_order: carrierOrder = '' } = attributes;
  const name = parseBronzeName(bronzeObject);
  const malformed = fault(contract, message);
  const hour = bronzeHourOf(contract, message);
  const record = {
    offset: offsetOf(recordId),
    ...parse(data),
    ...(malformed === undefined ? {} : { malformed }),
    ...(recordId === undefined ? {} : { recordId }),
    ...(MICROS.test(carrierOrder) ? { carrierOrder: BigInt(carrierOrder) } : {}),
  };
  return {
    record,
    context: { carrierOrder: undefined, bronzeObject, hour },
    bronzeObject: name ? bronzeObject : `${MESSAGE_FOLDER}${id}`,
    partition: partitionOf({ feed: name?.feed ?? ARCHIVE_FEED, hour }),
  };
}

const ofTopic = (contract: CompiledContract): boolean => contract.unpack.kind === 'pubsub-avro';

/** Hour of Bronze that holds a message's record, or will: `YYYY-MM-DDTHH`. */
export function bronzeHourOf(contract: CompiledContract, { publishTime, attributes }: StreamedMessage): string {
  const name = ofTopic(contract) ? undefined : parseBronzeName(attributes.bronze_object ?? '');
  return name?.hour ?? hourOfMicros(BigInt(publishTime));
}

/**
 * The record that a message of a stream is: the very one that a batch reads from Bronze, so that both make the same row. Whatever
 * cannot be told from the message makes the record `malformed`; nothing is thrown.
 */
export function streamedRecord(contract: CompiledContract, message: StreamedMessage): StreamedRecord {
  return ofTopic(contract) ? ofOwnTopic(contract, message) : ofLanded(contract, message);
}
