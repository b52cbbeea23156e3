import type { CompiledContract } from '../../types.ts';
import { csv } from './csv.ts';
import { geojson } from './geojson.ts';
import { messageRecord, pubsubAvro } from './pubsub-avro.ts';
import type { Unpacked, Unpacker } from './types.ts';
import { webhookEnvelope } from './webhook-envelope.ts';

export { messageRecord };
export type { RawRecord, Unpacked } from './types.ts';
export { readEnvelope, webhookRecordId } from './webhook-envelope.ts';
export type { WebhookEnvelope } from './webhook-envelope.ts';

/** All that is needed for a new kind: a file beside this one, a line here, and its schema (custom-schema.ts). */
export const UNPACKERS: Record<CompiledContract['unpack']['kind'], Unpacker> = {
  'geojson-feature-collection': geojson,
  'webhook-envelope': webhookEnvelope,
  csv,
  'pubsub-avro': pubsubAvro,
};

/**
 * Opens an object of Bronze as its contract says.
 *
 * @throws CupelError CUP_OBJECT_UNREADABLE when it is not of that kind; a single record that cannot be read is `malformed`
 */
export async function unpackObject(
  contract: CompiledContract,
  bytes: Uint8Array,
  bronzeObject: string,
): Promise<Unpacked> {
  return UNPACKERS[contract.unpack.kind].open(contract, bytes, bronzeObject);
}

/** The exact bytes of a record of an object that {@link unpackObject} has opened. */
export async function rawRecord(contract: CompiledContract, bytes: Uint8Array, offset: number): Promise<Buffer> {
  return UNPACKERS[contract.unpack.kind].rawRecord(contract, bytes, offset);
}
