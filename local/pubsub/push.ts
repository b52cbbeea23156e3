import { isoTime } from './messages.ts';
import type { Message } from './messages.ts';
import type { Consumer, Received } from './subscription/consumer.ts';
import type { Subscription } from './subscription/subscription.ts';

/** Requests to one endpoint at once. */
const AT_ONCE = 10;

/** Between the attempts of a message, doubled each time; Google's grows to 60 s, which nobody waits for on a laptop. */
const BACKOFF = { leastMs: 100, mostMs: 10_000 };

/** Statuses that acknowledge; all others ask for the message again. */
const ACKNOWLEDGED = new Set([102, 200, 201, 202, 204]);

/** A request without its token. */
interface Request {
  headers: Record<string, string>;
  body: string | Uint8Array<ArrayBuffer>;
}

function wrapped(received: Received, subscription: string): Request {
  const { message } = received;
  const publishTime = isoTime(message.publishTime);
  const body = JSON.stringify({
    message: {
      ...(message.data?.length ? { data: message.data.toString('base64') } : {}),
      attributes: message.attributes ?? {},
      messageId: message.messageId,
      message_id: message.messageId,
      publishTime,
      publish_time: publishTime,
      ...(message.orderingKey ? { orderingKey: message.orderingKey } : {}),
    },
    subscription,
    ...(received.deliveryAttempt ? { deliveryAttempt: received.deliveryAttempt } : {}),
  });
  return { headers: { 'content-type': 'application/json' }, body };
}

/** The message's data alone is the body; what else there is goes into headers, where that is asked for. */
function unwrapped(message: Message, subscription: string, writeMetadata: boolean): Request {
  const metadata = {
    'x-goog-pubsub-subscription-name': subscription,
    'x-goog-pubsub-message-id': message.messageId,
    'x-goog-pubsub-publish-time': isoTime(message.publishTime),
    ...(message.orderingKey ? { 'x-goog-pubsub-ordering-key': message.orderingKey } : {}),
    ...message.attributes,
  };
  return { headers: writeMetadata ? metadata : {}, body: new Uint8Array(message.data ?? []) };
}

/** Delivers a push subscription: POSTs each message, acknowledges what is accepted, gives the rest back. */
export function startPush(
  subscription: Subscription,
  identityToken: ((audience: string) => string) | undefined,
): () => void {
  const stopped = new AbortController();
  let busy = 0;
  async function post(received: Received): Promise<void> {
    const { pushConfig, name, ackDeadlineSeconds = 10 } = subscription.spec;
    const url = pushConfig?.pushEndpoint ?? '';
    const token = pushConfig?.oidcToken && identityToken?.(pushConfig.oidcToken.audience || url);
    const { noWrapper } = pushConfig ?? {};
    const { headers, body } = noWrapper
      ? unwrapped(received.message, name, noWrapper.writeMetadata ?? false)
      : wrapped(received, name);
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, ...(token ? { authorization: `Bearer ${token}` } : {}) },
        body,
        // A redirect is an answer that does not acknowledge.
        redirect: 'manual',
        // After the deadline the message goes out again; this attempt must not run beside the next.
        signal: AbortSignal.any([stopped.signal, AbortSignal.timeout(ackDeadlineSeconds * 1000)]),
      });
      await response.body?.cancel();
      if (ACKNOWLEDGED.has(response.status)) subscription.ack([received.ackId]);
      else subscription.nack(received.ackId);
    } catch {
      subscription.nack(received.ackId); // no answer: deliver again
    }
  }
  const consumer: Consumer = {
    backoff: BACKOFF,
    oneAtATime: true,
    room: () => AT_ONCE - busy,
    deliver(messages) {
      busy += messages.length;
      for (const received of messages) void post(received);
    },
    release() {
      busy -= 1;
      subscription.wake();
    },
    end: () => stopped.abort(),
  };
  subscription.addConsumer(consumer);
  return () => {
    subscription.removeConsumer(consumer);
    stopped.abort();
  };
}
