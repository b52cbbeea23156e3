import grpc from '@grpc/grpc-js';
import { GrpcError, timestamp } from '../grpc.ts';
import { applyMask, isoTime } from './messages.ts';
import type { Message, SubscriptionSpec } from './messages.ts';
import { startPush } from './push.ts';
import { Subscription } from './subscription.ts';

/** A topic; fields that this server does not act on are kept and shown. */
export interface Topic {
  name: string;
  labels?: Record<string, string>;
}

/** A message as a publisher sends it. */
export type Unsent = Omit<Message, 'messageId' | 'publishTime'>;

const DELETED_TOPIC = '_deleted-topic_';

function notFound(name: string): GrpcError {
  return new GrpcError(grpc.status.NOT_FOUND, `Resource not found (resource=${name}).`);
}

function alreadyExists(name: string): GrpcError {
  return new GrpcError(grpc.status.ALREADY_EXISTS, `Resource already exists in the project (resource=${name}).`);
}

/** Topics and subscriptions, in memory. Every method throws GrpcError NOT_FOUND for a name that is not there. */
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
    if (this.#topics.has(topic.name)) throw alreadyExists(topic.name);
    this.#topics.set(topic.name, topic);
    return topic;
  }

  topic(name: string): Topic {
    const found = this.#topics.get(name);
    if (!found) throw notFound(name);
    return found;
  }

  /** Topics of a project (`projects/<id>`). */
  topics(project: string): Topic[] {
    return [...this.#topics.values()].filter(({ name }) => name.startsWith(`${project}/`));
  }

  /** Replaces the fields that an update names. */
  updateTopic(changes: Topic, paths: string[]): Topic {
    const updated = { ...applyMask(this.topic(changes.name), changes, paths), name: changes.name };
    this.#topics.set(updated.name, updated);
    return updated;
  }

  deleteTopic(name: string): void {
    this.topic(name);
    this.#topics.delete(name);
    for (const { spec } of this.#subscriptions.values()) if (spec.topic === name) spec.topic = DELETED_TOPIC;
  }

  publish(topic: string, messages: Unsent[]): string[] {
    this.topic(topic);
    const empty = messages.some(({ data, attributes }) => !data?.length && !Object.keys(attributes ?? {}).length);
    if (empty || !messages.length)
      throw new GrpcError(grpc.status.INVALID_ARGUMENT, 'A message needs data or attributes.');
    return messages.map((message) => {
      const sent: Message = { ...message, messageId: String(++this.#nextId), publishTime: timestamp() };
      for (const subscription of this.#subscriptions.values()) {
        if (subscription.spec.topic === topic) subscription.publish(sent);
      }
      return sent.messageId;
    });
  }

  createSubscription(spec: SubscriptionSpec): SubscriptionSpec {
    if (this.#subscriptions.has(spec.name)) throw alreadyExists(spec.name);
    this.topic(spec.topic);
    const stored = { ...spec, state: 'ACTIVE', ackDeadlineSeconds: spec.ackDeadlineSeconds || 10 };
    const subscription: Subscription = new Subscription(stored, (message, attempt) =>
      this.#deadLetter(subscription, message, attempt),
    );
    this.#subscriptions.set(spec.name, subscription);
    this.#push(subscription);
    return stored;
  }

  subscription(name: string): Subscription {
    const found = this.#subscriptions.get(name);
    if (!found) throw notFound(name);
    return found;
  }

  /** Subscriptions of a project (`projects/<id>`). */
  subscriptions(project: string): SubscriptionSpec[] {
    return this.#specs().filter(({ name }) => name.startsWith(`${project}/`));
  }

  /** Names of a topic's subscriptions. */
  subscriptionsOf(topic: string): string[] {
    this.topic(topic);
    return this.#specs()
      .filter((spec) => spec.topic === topic)
      .map(({ name }) => name);
  }

  /** Replaces the fields that an update names. */
  updateSubscription(changes: SubscriptionSpec, paths: string[]): SubscriptionSpec {
    const subscription = this.subscription(changes.name);
    const { name, topic, filter } = subscription.spec;
    // These three never change in the life of a subscription.
    subscription.spec = { ...applyMask(subscription.spec, changes, paths), name, topic, ...(filter ? { filter } : {}) };
    // A restart of the push gives back what it has in hand, so only a change of the push itself is one.
    if (paths.some((path) => /^push_?config/i.test(path))) this.#push(subscription);
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

  #specs(): SubscriptionSpec[] {
    return [...this.#subscriptions.values()].map(({ spec }) => spec);
  }

  #push(subscription: Subscription): void {
    const { name, pushConfig } = subscription.spec;
    this.#pushes.get(name)?.();
    this.#pushes.delete(name);
    if (pushConfig?.pushEndpoint) this.#pushes.set(name, startPush(subscription, this.#identityToken));
  }

  /** False when the dead letter topic is gone: the message then stays with its subscription. */
  #deadLetter({ spec }: Subscription, message: Message, attempt: number): boolean {
    const topic = spec.deadLetterPolicy?.deadLetterTopic ?? '';
    if (!this.#topics.has(topic)) return false;
    const [, project = '', , name = ''] = spec.name.split('/');
    const attributes = {
      ...message.attributes,
      CloudPubSubDeadLetterSourceSubscription: name,
      CloudPubSubDeadLetterSourceSubscriptionProject: project,
      CloudPubSubDeadLetterSourceDeliveryCount: String(attempt),
      CloudPubSubDeadLetterSourceTopicPublishTime: isoTime(message.publishTime),
    };
    this.publish(topic, [{ ...message, attributes }]);
    return true;
  }
}
