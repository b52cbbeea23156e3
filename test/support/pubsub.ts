import { PubSub, v1 } from '@google-cloud/pubsub';
import type { CreateSubscriptionOptions, Message, Subscription, Topic, TopicMetadata } from '@google-cloud/pubsub';
import { credentials } from '@grpc/grpc-js';
import { expect } from 'vitest';

type Cleanup = () => Promise<unknown>;

/** Google's client of a Pub/Sub server, and what tests do with it again and again. */
export class PubsubUser {
  readonly pubsub: PubSub;
  readonly publisher: v1.PublisherClient;
  readonly subscriber: v1.SubscriberClient;
  readonly schemas: v1.SchemaServiceClient;
  readonly #run = Date.now().toString(36);
  #count = 0;
  #cleanup: Cleanup[] = [];

  /** @param endpoint host:port of the server; also set as `PUBSUB_EMULATOR_HOST` of this process */
  constructor(endpoint: string, projectId = 'conformance') {
    process.env.PUBSUB_EMULATOR_HOST = endpoint;
    this.pubsub = new PubSub({ projectId });
    const [servicePath, port] = endpoint.split(':');
    const plain = { servicePath, port: Number(port), sslCreds: credentials.createInsecure(), projectId };
    this.publisher = new v1.PublisherClient(plain);
    this.subscriber = new v1.SubscriberClient(plain);
    this.schemas = new v1.SchemaServiceClient(plain);
  }

  /** A name that nothing else has, in former runs neither. */
  name(kind: string): string {
    this.#count += 1;
    return `${kind}-${this.#run}-${this.#count}`;
  }

  async topic(options: TopicMetadata = {}): Promise<Topic> {
    const [topic] = await this.pubsub.createTopic({ name: this.name('topic'), ...options });
    return topic;
  }

  async subscribe(topic: Topic, options: CreateSubscriptionOptions = {}): Promise<Subscription> {
    const [subscription] = await topic.createSubscription(this.name('subscription'), options);
    return subscription;
  }

  async topicAndSubscription(options: CreateSubscriptionOptions = {}) {
    const topic = await this.topic();
    return { topic, subscription: await this.subscribe(topic, options) };
  }

  /** Calls back for each message; resolves with all of them once there are so many. */
  receive(subscription: Subscription, wanted: number, handle: (message: Message) => void): Promise<Message[]> {
    this.after(() => subscription.close());
    const seen: Message[] = [];
    return new Promise((resolve, reject) => {
      subscription.on('error', reject);
      subscription.on('message', (message: Message) => {
        seen.push(message);
        handle(message);
        if (seen.length === wanted) resolve(seen);
      });
    });
  }

  /** One answer of a pull: ack ids, and the data as texts. */
  async pull(subscription: Subscription, maxMessages = 100) {
    const [{ receivedMessages }] = await this.subscriber.pull({ subscription: subscription.name, maxMessages });
    const received = receivedMessages ?? [];
    const ackIds = received.map(({ ackId }) => ackId ?? '');
    return { received, ackIds, texts: received.map(({ message }) => Buffer.from(message?.data ?? '').toString()) };
  }

  async acknowledge(subscription: Subscription, ackIds: string[]): Promise<void> {
    await this.subscriber.acknowledge({ subscription: subscription.name, ackIds });
  }

  async setDeadline(subscription: Subscription, ackIds: string[], ackDeadlineSeconds: number): Promise<void> {
    await this.subscriber.modifyAckDeadline({ subscription: subscription.name, ackIds, ackDeadlineSeconds });
  }

  /** Pulls and acknowledges until so many messages came; answers their data as texts, in order of their names. */
  async drain(subscription: Subscription, wanted: number): Promise<string[]> {
    const texts: string[] = [];
    await until(async () => {
      const pulled = await this.pull(subscription);
      if (pulled.ackIds.length) await this.acknowledge(subscription, pulled.ackIds);
      return texts.push(...pulled.texts) >= wanted;
    });
    return texts.sort();
  }

  /** Done at the end of the test. */
  after(cleanup: Cleanup): void {
    this.#cleanup.push(cleanup);
  }

  async cleanUp(): Promise<void> {
    for (const undo of this.#cleanup.splice(0).reverse()) await undo();
  }

  async close(): Promise<void> {
    await Promise.all([this.pubsub.close(), this.publisher.close(), this.subscriber.close(), this.schemas.close()]);
  }
}

export const ack = (message: Message): void => message.ack();

export const text = (data: string): { data: Buffer } => ({ data: Buffer.from(data) });

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(holds, { timeout: 20_000, interval: 20 }).toBe(true);
}
