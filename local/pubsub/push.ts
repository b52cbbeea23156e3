import type { Consumer, Received, Subscription } from './subscription.ts';

/** Requests to one endpoint at once. */
const AT_ONCE = 10;

const ACKNOWLEDGED = new Set([102, 200, 201, 202, 204]);

function body(received: Received, subscription: string): string {
  const { message } = received;
  const { seconds, nanos } = message.publishTime;
  const publishTime = new Date(Number(seconds) * 1000 + nanos / 1e6).toISOString();
  return JSON.stringify({
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
}

/** Delivers a push subscription: POSTs each message, acknowledges what is accepted, gives the rest back. */
export function startPush(subscription: Subscription, identityToken: ((audience: string) => string) | undefined): () => void {
  const stopped = new AbortController();
  let busy = 0;
  async function post(received: Received): Promise<void> {
    const { pushConfig, name } = subscription.spec;
    const url = pushConfig?.pushEndpoint ?? '';
    const token = pushConfig?.oidcToken && identityToken?.(pushConfig.oidcToken.audience || url);
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
        body: body(received, name),
        signal: stopped.signal,
      });
      await response.body?.cancel();
      if (ACKNOWLEDGED.has(response.status)) subscription.ack(received.ackId);
      else subscription.nack(received.ackId);
    } catch {
      subscription.nack(received.ackId); // no answer: deliver again
    }
  }
  const consumer: Consumer = {
    room: () => AT_ONCE - busy,
    deliver(messages) {
      busy += messages.length;
      for (const received of messages) void post(received);
    },
    release() {
      busy -= 1;
      subscription.wake();
    },
  };
  subscription.addConsumer(consumer);
  return () => {
    subscription.removeConsumer(consumer);
    stopped.abort();
  };
}
