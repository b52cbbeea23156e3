import grpc from '@grpc/grpc-js';
import { GrpcError, timestamp } from '../grpc.ts';
import type { Message, SubscriptionSpec } from './messages.ts';
import { startPush } from './push.ts';
import { Subscription } from './subscription.ts';

interface Topic {
  name: string;
  labels?: Record<string, string>;
}

type Unsent = Omit<Message, 'messageId' | 'publishTime'>;

/** Topics and subscriptions, in memory. */
export class Broker {
  readonly #topics = new Map<string, Topic>();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #pushes = new Map<string, () => void>();
  readonly #identityToken: ((audience: string) => string) | undefined;
  #nextId = 0;

  constructor(identityToken?: (audience: string) => string) {
    this.#identityToken = identityToken;
  }

  createTopic(topic: Topic): Topic {
    if (this.#topics.has(topic.name)) throw new GrpcError(grpc.status.ALREADY_EXISTS, `Resource already exists in the project (resource=${topic.name}).`);
    this.#topics.set(topic.name, topic);
    return topic;
  }

  topic(name: string): Topic {
    const found = this.#topics.get(name);
    if (!found) throw new GrpcError(grpc.status.NOT_FOUND, `Resource not found (resource=${name}).`);
    return found;
  }

  topics(): Topic[] {
    return [...this.#topics.values()];
  }

  deleteTopic(name: string): void {
    this.topic(name);
    this.#topics.delete(name);
    for (const { spec } of this.#subscriptions.values()) if (spec.topic === name) spec.topic = '_deleted-topic_';
  }

  publish(topic: string, messages: Unsent[]): string[] {
    this.topic(topic);
    return messages.map((message) => {
      const sent: Message = { ...message, messageId: String(++this.#nextId), publishTime: timestamp() };
      for (const subscription of this.#subscriptions.values()) if (subscription.spec.topic === topic) subscription.publish(sent);
      return sent.messageId;
    });
  }

  createSubscription(spec: SubscriptionSpec): SubscriptionSpec {
    if (this.#subscriptions.has(spec.name)) throw new GrpcError(grpc.status.ALREADY_EXISTS, `Resource already exists in the project (resource=${spec.name}).`);
    this.topic(spec.topic);
    const stored = { ...spec, state: 'ACTIVE', ackDeadlineSeconds: spec.ackDeadlineSeconds || 10 };
    const subscription = new Subscription(stored, (message, attempt) => this.#deadLetter(stored, message, attempt));
    this.#subscriptions.set(spec.name, subscription);
    this.#push(subscription);
    return stored;
  }

  subscription(name: string): Subscription {
    const found = this.#subscriptions.get(name);
    if (!found) throw new GrpcError(grpc.status.NOT_FOUND, `Resource not found (resource=${name}).`);
    return found;
  }

  subscriptions(): SubscriptionSpec[] {
    return [...this.#subscriptions.values()].map(({ spec }) => spec);
  }

  /** Replaces the fields that an update names. */
  updateSubscription(changes: SubscriptionSpec, paths: string[]): SubscriptionSpec {
    const subscription = this.subscription(changes.name);
    const given = changes as unknown as Record<string, unknown>;
    const camel = (path: string) => path.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const updates = Object.fromEntries(paths.map((path) => [camel(path), given[camel(path)]]));
    subscription.spec = { ...subscription.spec, ...updates };
    this.#push(subscription);
    return subscription.spec;
  }

  deleteSubscription(name: string): void {
    this.subscription(name).close();
    this.#pushes.get(name)?.();
    this.#pushes.delete(name);
    this.#subscriptions.delete(name);
  }

  close(): void {
    for (const name of [...this.#subscriptions.keys()]) this.deleteSubscription(name);
  }

  #push(subscription: Subscription): void {
    const { name, pushConfig } = subscription.spec;
    this.#pushes.get(name)?.();
    this.#pushes.delete(name);
    if (pushConfig?.pushEndpoint) this.#pushes.set(name, startPush(subscription, this.#identityToken));
  }

  #deadLetter(spec: SubscriptionSpec, message: Message, attempt: number): void {
    const attributes = {
      ...message.attributes,
      CloudPubSubDeadLetterSourceSubscription: spec.name.split('/').pop() ?? '',
      CloudPubSubDeadLetterSourceSubscriptionProject: spec.name.split('/')[1] ?? '',
      CloudPubSubDeadLetterSourceDeliveryCount: String(attempt),
    };
    this.publish(spec.deadLetterPolicy?.deadLetterTopic ?? '', [{ ...message, attributes }]);
  }
}
