import { unpackObject } from '../../contracts/index.ts';
import type { CompiledContract, WebhookEnvelope, WebhookFeed } from '../../contracts/index.ts';
import { CupelError, cupelError } from '../../errors.ts';
import { googleCode } from '../../gcp/errors.ts';
import { bronzeName, hourOf } from '../../lakehouse/bronze/index.ts';
import type { ObjectStore } from '../../lakehouse/object-store.ts';
import type { RecordPublisher } from '../record-publisher.ts';
import { checkBody, checkSize, decompress } from './body.ts';
import { bodySha256, deliveryMarker, deliverySha256 } from './delivery-name.ts';
import { headerOf, verifySignature } from './signature.ts';
import type { Headers } from './signature.ts';

/** What receiving works with. */
export interface ReceiveResources {
  store: ObjectStore;
  bronzeBucket: string;
  opsBucket: string;
  publisher: RecordPublisher;
  /** Told, without payload values, why a record did not go out; the outbox sweep sends it later. */
  unpublished(reason: { source: string; code: string | number }): void;
}

/** A request as it came. */
export interface Delivery {
  headers: Headers;
  body: Buffer;
  /** Milliseconds since 1970. */
  receivedAtMs: number;
}

/** What became of a delivery. */
export interface Received {
  /** The same delivery with the same body was taken before. */
  duplicate: boolean;
  /** Name in the Bronze bucket. */
  object: string;
  /** Whether its record is on the topic. Where not, the outbox sweep sends it. */
  published: boolean;
}

/** The bytes are safe in Bronze by now, so Pub/Sub is waited for only so long. */
const PUBLISH_WITHIN_MS = 5_000;

const ID_HEADERS = { github: 'x-github-delivery', 'standard-webhooks': 'webhook-id' } as const;

function deliveryIdOf({ scheme }: WebhookFeed, headers: Headers): string {
  const id = headerOf(headers, ID_HEADERS[scheme]);
  if (!id || id.length > 256 || !/^[\x21-\x7e]+$/.test(id))
    throw cupelError('CUP_DELIVERY_INVALID', { expected: `${ID_HEADERS[scheme]} of 1 to 256 printable characters` });
  return id;
}

function checkMediaType(headers: Headers): void {
  const type = (headerOf(headers, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type !== 'application/json' && !/^application\/[\w.-]+\+json$/.test(type))
    throw cupelError('CUP_DELIVERY_MEDIA_TYPE', { expected: 'content-type application/json' });
}

function envelopeOf(feed: WebhookFeed, { headers, receivedAtMs }: Delivery, id: string, body: Buffer): WebhookEnvelope {
  const kept = feed.headers.flatMap((name) => {
    const value = headerOf(headers, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    version: 1,
    delivery_id: id,
    received_at: new Date(receivedAtMs).toISOString(),
    headers: Object.fromEntries(kept),
    body_base64: body.toString('base64'),
  };
}

interface Marker {
  object: string;
  body_sha256: string;
}

/** @throws CupelError CUP_DELIVERY_CONFLICT when the id had another body */
function answerKnown(marker: Buffer, sha256: string): Received {
  const { object, body_sha256 } = JSON.parse(marker.toString('utf8')) as Marker;
  if (body_sha256 !== sha256) throw cupelError('CUP_DELIVERY_CONFLICT', { object });
  return { duplicate: true, object, published: true };
}

/** Whatever keeps the bytes from being safe: the sender has to come again. */
async function safely<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw cupelError('CUP_DELIVERY_NOT_LANDED', { request: what, code: googleCode(error) ?? 'none' }, error);
  }
}

async function land(
  { store, bronzeBucket }: ReceiveResources,
  contract: CompiledContract,
  feed: WebhookFeed,
  envelope: WebhookEnvelope,
  body: Buffer,
): Promise<{ object: string; bytes: Buffer }> {
  const { mediaType, extension } = contract.unpack;
  const hour = hourOf(new Date(envelope.received_at));
  const sha256 = deliverySha256(envelope.delivery_id, body);
  const object = bronzeName({ source: contract.source, feed: feed.name, hour, sha256, extension });
  const bytes = Buffer.from(JSON.stringify(envelope));
  const uri = `gs://${bronzeBucket}/${object}`;
  const { outcome } = await safely('land', store.create(uri, bytes, mediaType));
  // Of several receipts the first one landed, and its time is the record's.
  return { object, bytes: outcome === 'exists' ? await safely('read', store.read(uri)) : bytes };
}

/** Sends the record on and says so in the outbox; what does not go out now, the sweep sends. */
async function publish(
  { store, opsBucket, publisher, unpublished }: ReceiveResources,
  contract: CompiledContract,
  object: string,
  bytes: Buffer,
): Promise<boolean> {
  try {
    const sent = publisher.publish(contract, object, await unpackObject(contract, bytes, object));
    await within(PUBLISH_WITHIN_MS, sent);
    await store.create(`gs://${opsBucket}/_outbox/${object}`, '');
    return true;
  } catch (error) {
    const code = error instanceof CupelError ? error.code : (googleCode(error) ?? 'none');
    unpublished({ source: contract.source, code });
    return false;
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  work.catch(() => undefined); // it may fail after we stopped waiting
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Takes a delivery: signature, size, shape; then its bytes land in Bronze, then a marker says which body its id had, and last its
 * record goes to Pub/Sub. A sender that got no 2xx sends again; whatever it repeats is told apart by the marker, or has the same
 * object. A crash before the marker leaves an object that the same delivery finds again within the hour; in a later hour it lands
 * once more, under the same record id.
 *
 * @throws CupelError CUP_DELIVERY_UNSIGNED, CUP_DELIVERY_MEDIA_TYPE, CUP_DELIVERY_TOO_LARGE, CUP_DELIVERY_INVALID,
 *   CUP_DELIVERY_CONFLICT, CUP_DELIVERY_NOT_LANDED
 */
export async function receiveDelivery(
  resources: ReceiveResources,
  contract: CompiledContract,
  feed: WebhookFeed,
  secrets: string[],
  delivery: Delivery,
): Promise<Received> {
  const { headers } = delivery;
  checkSize(feed, delivery.body.length);
  verifySignature(feed, secrets, headers, delivery.body, delivery.receivedAtMs);
  checkMediaType(headers);
  const id = deliveryIdOf(feed, headers);
  const body = decompress(feed, delivery.body, headerOf(headers, 'content-encoding'));
  checkBody(feed, body);
  const { store, opsBucket } = resources;
  const marker = `gs://${opsBucket}/${deliveryMarker(contract.source, id)}`;
  const sha256 = bodySha256(body);
  const known = await safely('look', store.readIfExists(marker));
  if (known) return answerKnown(known, sha256);
  const { object, bytes } = await land(resources, contract, feed, envelopeOf(feed, delivery, id, body), body);
  const said: Marker = { object, body_sha256: sha256 };
  const { outcome } = await safely('mark', store.create(marker, JSON.stringify(said), 'application/json'));
  if (outcome === 'exists') return answerKnown(await safely('look', store.read(marker)), sha256);
  // Of several at once one has made the marker, and sends the record; after a crash in between, the sweep does.
  return { duplicate: false, object, published: await publish(resources, contract, object, bytes) };
}
