import { normaliser } from '../contracts/rules/normalise.ts';
import { messageRecord } from '../contracts/rules/unpack/pubsub-avro.ts';
import type { CompiledContract } from '../contracts/types.ts';
import { cupelError } from '../errors.ts';

/** What is known of a message beside its event. */
export interface MessageIdentity {
  /** The same in every copy of the message. */
  recordId: string;
  /** Microseconds since 1970. */
  carrierOrder: bigint;
  /** Default: the member that the contract names, if it names one. */
  orderingKey?: string | undefined;
}

/** A message as Pub/Sub takes it. */
export interface OutgoingMessage {
  data: Buffer;
  attributes: Record<string, string>;
  orderingKey?: string;
}

/** A request of Pub/Sub holds 10 MB; the rest is for what its framing and names need. */
const MAX_MESSAGE_BYTES = 9 << 20;

/** Most bytes of an attribute's value, and of an ordering key, in Pub/Sub. */
const MAX_TEXT_BYTES = 1024;

/** A message has an id of Pub/Sub only once it is published; this stands in for it, since a contract may map it. */
const NO_MESSAGE_ID = '0';

function refused(source: string, reason: string, expected: string, cause?: unknown): Error {
  return cupelError('CUP_EVENT_REFUSED', { source, reason, expected }, cause);
}

/** JSON has no NaN and no infinity: JSON.stringify would make null of them, and nobody would ever know. */
function noSilentNull(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError('a number that JSON cannot hold');
  return value;
}

function encode(source: string, event: unknown): Buffer {
  let json: string | undefined;
  try {
    json = JSON.stringify(event, noSilentNull) as string | undefined;
  } catch (error) {
    throw refused(source, 'malformed_record', 'an event that JSON can hold', error);
  }
  if (json === undefined) throw refused(source, 'malformed_record', 'an event that JSON can hold');
  return Buffer.from(json);
}

function checkText(source: string, name: string, value: string): void {
  const bytes = Buffer.byteLength(value);
  if (bytes < 1 || bytes > MAX_TEXT_BYTES)
    throw refused(source, 'out_of_range', `${name} of 1 to ${MAX_TEXT_BYTES} bytes`);
}

function checkLimits(source: string, message: OutgoingMessage, { recordId, carrierOrder }: MessageIdentity): void {
  checkText(source, 'a record id', recordId);
  if (carrierOrder < 0n || carrierOrder >= 10n ** 18n)
    throw refused(source, 'out_of_range', 'a carrier order in microseconds since 1970, not negative');
  if (message.orderingKey !== undefined) checkText(source, 'an ordering key', message.orderingKey);
  if (sizeOf(message) > MAX_MESSAGE_BYTES)
    throw refused(source, 'out_of_range', `a message of at most ${MAX_MESSAGE_BYTES} bytes`);
}

/** Bytes of a message that count for Pub/Sub's limits. */
export function sizeOf({ data, attributes, orderingKey = '' }: OutgoingMessage): number {
  const texts = Object.entries(attributes).flat();
  return data.length + [...texts, orderingKey].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/**
 * Makes the function that turns an event of a source into its message. It reads the message back as the pipeline will read it from
 * the archive and runs the contract's own rules, so it refuses what the pipeline would put in quarantine, and nothing else but
 * what Pub/Sub cannot carry. The function throws CupelError CUP_EVENT_REFUSED, which says what was expected and never what was given.
 *
 * @throws CupelError CUP_SOURCE_UNPUBLISHABLE when the source has no topic of its own
 */
export function messageMaker(contract: CompiledContract): (event: unknown, of: MessageIdentity) => OutgoingMessage {
  const { source, messaging } = contract;
  if (!messaging?.topic || contract.unpack.kind !== 'pubsub-avro')
    throw cupelError('CUP_SOURCE_UNPUBLISHABLE', { source });
  const normalise = normaliser(contract);
  return (event, identity) => {
    const data = encode(source, event);
    const attributes = {
      source,
      contract: contract.hash,
      record_id: identity.recordId,
      [contract.carrierOrder]: String(identity.carrierOrder),
    };
    const archived = { message_id: NO_MESSAGE_ID, publish_time: identity.carrierOrder, attributes, data };
    const record = messageRecord(contract, archived, 0);
    const result = normalise(record, { carrierOrder: undefined, bronzeObject: '' });
    if ('reject' in result) throw refused(source, result.reject.reasonCode, result.reject.detail);
    const orderingKey = identity.orderingKey ?? memberOf(record.value, messaging.orderingKey);
    const message = { data, attributes, ...(orderingKey === undefined ? {} : { orderingKey }) };
    checkLimits(source, message, identity);
    return message;
  };
}

/** The contract's agreements make sure that a required column of text reads the member, so it is a string here. */
function memberOf(value: unknown, name: string | undefined): string | undefined {
  return name === undefined ? undefined : (value as { data: Record<string, string> }).data[name];
}
