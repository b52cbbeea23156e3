import { setTimeout as delay } from 'node:timers/promises';
import type { Message, PubSub, Subscription } from '@google-cloud/pubsub';
import { deliver } from './deliver.ts';
import type { Target } from './deliver.ts';

/** What Eventarc delivers, and where. */
export interface EventarcOptions extends Target {
  pubsub: PubSub;
  /** Topic of the bucket's notifications, and the subscription that is made on it. */
  topic: string;
  subscription: string;
  /** Messages that the server holds for the subscription. Default: only what has been received counts for `idle`. */
  backlog?: () => number;
  /** Deliveries at once. Default 8. */
  atOnce?: number;
}

/** A running delivery. */
export interface Eventarc {
  /** Resolves when nothing is in flight, waits, or is to be sent again; or after `stop`. */
  idle(): Promise<void>;
  /** Ends the delivery; what is in flight stays with the subscription. */
  stop(): Promise<void>;
}

/** Between two looks of `idle`. */
const LOOK_MS = 20;

const ALREADY_EXISTS = 6;

async function subscribe({ pubsub, topic, subscription, atOnce = 8 }: EventarcOptions): Promise<Subscription> {
  const options = {
    ackDeadlineSeconds: 60,
    filter: 'attributes.eventType = "OBJECT_FINALIZE"',
    retryPolicy: { minimumBackoff: { nanos: 200_000_000 }, maximumBackoff: { seconds: 10 } },
  };
  await pubsub.createSubscription(topic, subscription, options).catch((error: { code?: number }) => {
    if (error.code !== ALREADY_EXISTS) throw error;
  });
  return pubsub.subscription(subscription, { flowControl: { maxMessages: atOnce, allowExcessMessages: false } });
}

/** Starts the delivery of finalize events to a function: at least once, again until it answers 2xx. */
export async function startEventarc(options: EventarcOptions): Promise<Eventarc> {
  const subscription = await subscribe(options);
  const stopped = new AbortController();
  // Ids of messages that have come and are not delivered yet, those that wait for their next attempt included.
  const open = new Set<string>();
  subscription.on('message', (message: Message) => {
    open.add(message.id);
    void deliver(message, options, stopped.signal).then((taken) => {
      if (taken) open.delete(message.id);
      if (taken) message.ack();
      else message.nack();
    });
  });
  subscription.on('error', (error: Error) => console.error(`eventarc: ${error.message}`));
  const busy = (): boolean => !stopped.signal.aborted && open.size + (options.backlog?.() ?? 0) > 0;
  return {
    async idle() {
      while (busy()) await delay(LOOK_MS);
    },
    async stop() {
      stopped.abort();
      await subscription.close();
    },
  };
}
