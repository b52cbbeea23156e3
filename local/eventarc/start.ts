import type { Message, PubSub, Subscription } from '@google-cloud/pubsub';

/** What Eventarc delivers, and where. */
export interface EventarcOptions {
  pubsub: PubSub;
  /** Topic of the bucket's notifications, and the subscription that is made on it. */
  topic: string;
  subscription: string;
  functionUrl: string;
  /** Makes the ID token of a delivery. */
  identityToken(audience: string): string;
}

/** Deliveries at once; they run beside the ingest, which must stay quick. */
const AT_ONCE = 4;

/** One finalize event in CloudEvents' binary form, as Eventarc sends it. */
function headers(message: Message, { functionUrl, identityToken }: EventarcOptions): Record<string, string> {
  const { bucketId = '', objectId = '' } = message.attributes;
  return {
    'content-type': 'application/json',
    authorization: `Bearer ${identityToken(functionUrl)}`,
    'ce-id': message.id,
    'ce-specversion': '1.0',
    'ce-time': new Date(message.publishTime).toISOString(),
    'ce-type': 'google.cloud.storage.object.v1.finalized',
    'ce-source': `//storage.googleapis.com/projects/_/buckets/${bucketId}`,
    'ce-subject': `objects/${encodeURI(objectId)}`,
    'ce-bucket': bucketId,
  };
}

async function deliver(message: Message, options: EventarcOptions): Promise<void> {
  try {
    const response = await fetch(options.functionUrl, { method: 'POST', headers: headers(message, options), body: new Uint8Array(message.data) });
    await response.body?.cancel();
    if (response.ok) message.ack();
    else message.nack();
  } catch {
    message.nack(); // not there: deliver again
  }
}

/** Starts the delivery of finalize events to a function: at least once, again until it answers 2xx. */
export async function startEventarc(options: EventarcOptions): Promise<{ stop(): Promise<void> }> {
  const { pubsub, topic, subscription: name } = options;
  await pubsub.createSubscription(topic, name, {
    ackDeadlineSeconds: 60,
    filter: 'attributes.eventType = "OBJECT_FINALIZE"',
    retryPolicy: { minimumBackoff: { nanos: 200_000_000 }, maximumBackoff: { seconds: 10 } },
  });
  const subscription: Subscription = pubsub.subscription(name, { flowControl: { maxMessages: AT_ONCE } });
  subscription.on('message', (message: Message) => void deliver(message, options));
  subscription.on('error', (error: Error) => console.error(`eventarc: ${error.message}`));
  return { stop: () => subscription.close() };
}
