import { readContainer } from '../../../formats/avro-container.ts';
import { decodeUtf8 } from '../../../formats/utf8.ts';
import type { CompiledContract } from '../../types.ts';
import { hourOfMicros } from '../times.ts';
import { unreadable } from './types.ts';
import type { RawRecord, Unpacker } from './types.ts';

/** What a Cloud Storage subscription writes of a message, metadata included (its `avro_config`). */
export interface ArchivedMessage {
  message_id: string;
  /** Microseconds since 1970. */
  publish_time: number | bigint;
  attributes: Record<string, string>;
  data: Buffer;
}

async function readMessages(bytes: Uint8Array, bronzeObject: string): Promise<ArchivedMessage[]> {
  let messages: Partial<ArchivedMessage>[];
  try {
    messages = await readContainer<Partial<ArchivedMessage>>(Buffer.from(bytes));
  } catch (error) {
    throw unreadable(bronzeObject, 'expected an Avro object container file', error);
  }
  const whole = messages.every(
    ({ message_id, publish_time, attributes, data }) =>
      message_id !== undefined && publish_time !== undefined && attributes !== undefined && data !== undefined,
  );
  if (!whole)
    throw unreadable(bronzeObject, 'expected messages with metadata: write_metadata of the Cloud Storage subscription');
  return messages as ArchivedMessage[];
}

/** The publisher's own order; a log has no need of one, so messages of others than our SDK may go without. */
function carrierOrderOf(contract: CompiledContract, message: ArchivedMessage): bigint | undefined {
  const given = message.attributes[contract.carrierOrder];
  if (given !== undefined && /^\d{1,18}$/.test(given)) return BigInt(given);
  return contract.sink.kind === 'append-log' ? BigInt(message.publish_time) : undefined;
}

/** The record that a message becomes; the SDK asks the same before it publishes. */
export function messageRecord(contract: CompiledContract, message: ArchivedMessage, offset: number): RawRecord {
  const { message_id, publish_time, attributes } = message;
  const carrierOrder = carrierOrderOf(contract, message);
  const common = {
    offset,
    recordId: attributes.record_id ?? message_id,
    hour: hourOfMicros(BigInt(publish_time)),
    ...(carrierOrder === undefined ? {} : { carrierOrder }),
  };
  const value = { message_id, attributes };
  if (carrierOrder === undefined)
    return { ...common, value, malformed: `attributes.${contract.carrierOrder}: expected microseconds since 1970` };
  try {
    const data = JSON.parse(decodeUtf8(message.data)) as unknown;
    return { ...common, value: { ...value, data } };
  } catch {
    return { ...common, value, malformed: 'data: expected JSON in UTF-8' };
  }
}

/**
 * An Avro file of a Cloud Storage subscription: each message is a record `{message_id, attributes, data}`, with `data` read as
 * JSON. It belongs to the hour of its publish time, whatever object holds it.
 */
export const pubsubAvro: Unpacker = {
  carriedBy: ['subscription'],
  payload: 'data',
  async open(contract, bytes, bronzeObject) {
    const messages = await readMessages(bytes, bronzeObject);
    return { records: messages.map((message, offset) => messageRecord(contract, message, offset)) };
  },
  async rawRecord(_contract, bytes, offset) {
    return (await readMessages(bytes, 'archive'))[offset]?.data ?? Buffer.alloc(0);
  },
};
