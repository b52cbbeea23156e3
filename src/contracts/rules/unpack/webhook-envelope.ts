import { rfc3339ToMicros } from '../times.ts';
import { parseJson, unreadable } from './types.ts';
import type { RawRecord, Unpacker } from './types.ts';

/** What the ingest function lands of a delivery. */
export interface WebhookEnvelope {
  version: 1;
  delivery_id: string;
  /** RFC 3339. */
  received_at: string;
  /** Those that the contract keeps, names in lower case. */
  headers: Record<string, string>;
  /** The body as it was signed. */
  body_base64: string;
}

/** Id of a delivery's record: the same wherever and whenever the delivery landed, since its object's name holds delivery and body. */
export function webhookRecordId(bronzeObject: string): string {
  return bronzeObject.replace(/\/dt=[^/]+\/hr=[^/]+\//, '/').replace(/\.[a-z0-9]+$/, '');
}

/** @throws CupelError CUP_OBJECT_UNREADABLE */
export function readEnvelope(bytes: Uint8Array, bronzeObject: string): WebhookEnvelope {
  const envelope = (parseJson(bytes, bronzeObject) ?? {}) as Partial<WebhookEnvelope>;
  if (envelope.version !== 1 || typeof envelope.body_base64 !== 'string' || typeof envelope.delivery_id !== 'string')
    throw unreadable(bronzeObject, 'expected an envelope of version 1 with delivery_id and body_base64');
  return envelope as WebhookEnvelope;
}

function toRecord(envelope: WebhookEnvelope, bronzeObject: string): RawRecord {
  const { delivery_id, received_at, headers } = envelope;
  const recordId = webhookRecordId(bronzeObject);
  const value = { delivery_id, received_at, headers };
  const body = Buffer.from(envelope.body_base64, 'base64');
  try {
    return { offset: 0, recordId, value: { ...value, body: parseJson(body, bronzeObject) } };
  } catch {
    return { offset: 0, recordId, value, malformed: 'body: expected JSON in UTF-8' };
  }
}

/** An envelope of one delivery: one record, `{delivery_id, received_at, headers, body}`, ordered by its receipt. */
export const webhookEnvelope: Unpacker = {
  carriedBy: ['webhook'],
  payload: 'body',
  open(_contract, bytes, bronzeObject) {
    const envelope = readEnvelope(bytes, bronzeObject);
    const carrierOrder = rfc3339ToMicros(envelope.received_at);
    if (carrierOrder === undefined) throw unreadable(bronzeObject, 'expected received_at as RFC 3339 has it');
    return { carrierOrder, records: [toRecord(envelope, bronzeObject)] };
  },
  rawRecord: (_contract, bytes) => Buffer.from(readEnvelope(bytes, 'envelope').body_base64, 'base64'),
};
