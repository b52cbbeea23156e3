import { timestamp } from '../grpc.ts';
import { deadLetterOf } from './dead-letter.ts';
import type { Deliveries } from './deliveries.ts';
import { alreadyExists, failedPrecondition, notFound } from './errors.ts';
import { applyMask, camelCase } from './messages.ts';
import type { Message, Timestamp, Unsent } from './messages.ts';
import type { SubscriptionSpec, Topic } from './resources.ts';
import type { Schemas } from './schemas/schemas.ts';
import type { Snapshots } from './snapshots.ts';
import type { Sent, StoredSubscription } from './state/broker-state.ts';
import type { Journal } from './state/journal.ts';
import { Subscription } from './subscription/subscription.ts';
import { checkMessages, checkSubscription, checkTopic, invalid } from './validate.ts';

/** What a broker is made of. */
export interface BrokerParts {
  journal: Journal;
  schemas: Schemas;
  snapshots: Snapshots;
  deliveries: Deliveries;
}

/** Retentions are a week; a look each hour is enough. */
const EXPIRE_MS = 3_600_000;

/** Of a subscription, these never change. */
const IMMUTABLE = new Set(['name', 'topic', 'filter', 'enableMessageOrdering']);

/** Topics and subscriptions. Every method throws GrpcError NOT_FOUND for a name that is not there. */
export class Broker {
  readonly #parts: BrokerParts;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #expiry: NodeJS.Timeout;

  /** Goes on where the journal ends. */
  constructor(parts: BrokerParts) {
    this.#parts = parts;
    for (const stored of parts.journal.state.subscriptions.values()) this.#start(stored);
    this.#expiry = setInterval(() => parts.journal.state.expire(Date.now()), EXPIRE_MS);
    this.#expiry.unref();
  }

  createTopic(topic: Topic): Topic {
    checkTopic(topic);
    if (this.#state.topics.has(topic.name)) throw alreadyExists(topic.name);
    if (topic.schemaSettings) this.#parts.schemas.checkSettings(topic.schemaSettings);
    this.#parts.journal.record({ topic });
    return topic;
  }

  topic(name: string): Topic {
    const found = this.#state.topics.get(name);
    if (!found) throw notFound(name);
    return found.topic;
  }

  /** Topics of a project (`projects/<id>`). */
  topics(project: string): Topic[] {
    const all = [...this.#state.topics.values()].map(({ topic }) => topic);
    return all.filter(({ name }) => name.startsWith(`${project}/`));
  }

  /** Replaces the fields that an update names. */
  updateTopic(changes: Topic, paths: string[]): Topic {
    const current = this.topic(changes.name);
    if (!paths.length) throw invalid('The update_mask is empty.');
    const topic = { ...applyMask(current, changes, paths), name: changes.name };
    checkTopic(topic);
    if (topic.schemaSettings) this.#parts.schemas.checkSettings(topic.schemaSettings);
    this.#parts.journal.record({ topic });
    return topic;
  }

  deleteTopic(name: string): void {
    this.topic(name);
    this.#parts.journal.record({ deletedTopic: name });
  }

  publish(topic: string, messages: Unsent[]): string[] {
    const found = this.topic(topic);
    checkMessages(messages);
    return this.#send(topic, this.#parts.schemas.stamped(found, messages));
  }

  createSubscription(given: SubscriptionSpec): SubscriptionSpec {
    const spec: SubscriptionSpec = {
      ...given,
      ackDeadlineSeconds: given.ackDeadlineSeconds || 10,
      messageRetentionDuration: given.messageRetentionDuration ?? { seconds: '604800', nanos: 0 },
    };
    checkSubscription(spec);
    if (this.#subscriptions.has(spec.name)) throw alreadyExists(spec.name);
    this.topic(spec.topic);
    this.#checkDeadLetterTopic(spec);
    this.#parts.deliveries.check(spec);
    this.#parts.journal.record({ subscription: spec });
    this.#start(this.#state.subscriptions.get(spec.name)!);
    return spec;
  }

  subscription(name: string): Subscription {
    const found = this.#subscriptions.get(name);
    if (!found) throw notFound(name);
    return found;
  }

  /** Subscriptions of a project (`projects/<id>`). */
  subscriptions(project: string): SubscriptionSpec[] {
    const names = [...this.#subscriptions.keys()].filter((name) => name.startsWith(`${project}/`));
    return names.map((name) => this.shown(name));
  }

  /** Names of a topic's subscriptions. */
  subscriptionsOf(topic: string): string[] {
    this.topic(topic);
    return this.#of(topic).map(({ spec }) => spec.name);
  }

  /** A subscription with the state that it is in. */
  shown(name: string): SubscriptionSpec {
    const { spec } = this.subscription(name);
    const { messageRetentionDuration } = this.#state.topics.get(spec.topic)?.topic ?? {};
    return {
      ...this.#parts.deliveries.shown(spec),
      ...(messageRetentionDuration ? { topicMessageRetentionDuration: messageRetentionDuration } : {}),
    };
  }

  /** Replaces the fields that an update names. */
  updateSubscription(changes: SubscriptionSpec, paths: string[]): SubscriptionSpec {
    const subscription = this.subscription(changes.name);
    if (!paths.length) throw invalid('The update_mask is empty.');
    const fixed = paths.find((path) => IMMUTABLE.has(camelCase(path)));
    if (fixed) throw invalid(`${fixed} of a subscription never changes.`);
    const spec = applyMask(subscription.spec, changes, paths);
    checkSubscription(spec);
    if (paths.some((path) => camelCase(path).startsWith('deadLetterPolicy'))) this.#checkDeadLetterTopic(spec);
    this.#parts.deliveries.check(spec);
    this.#parts.journal.record({ subscription: spec });
    // A new start gives back what is in hand, so only a change of where messages go is one.
    if (paths.some((path) => /config/i.test(path))) this.#parts.deliveries.start(subscription);
    return this.shown(spec.name);
  }

  deleteSubscription(name: string): void {
    this.subscription(name).close(notFound(name));
    this.#parts.deliveries.stop(name);
    this.#subscriptions.delete(name);
    this.#parts.journal.record({ deletedSubscription: name });
  }

  /** Takes a subscription and its backlog off its topic. */
  detach(name: string): void {
    const subscription = this.subscription(name);
    const spec = { ...subscription.spec, detached: true, retainAckedMessages: false };
    this.#parts.deliveries.stop(name);
    this.#parts.journal.record({ subscription: spec });
    const stored = this.#state.subscriptions.get(name)!;
    this.#parts.journal.record({ settled: [...stored.pending.keys()], of: name });
    subscription.close(failedPrecondition('The subscription is detached from its topic.'));
  }

  /** Has a subscription's messages before or after a point be acknowledged or not. */
  seek(name: string, target: { time: Timestamp } | { snapshot: string }): void {
    const subscription = this.subscription(name);
    if ('snapshot' in target && this.#parts.snapshots.get(target.snapshot).topic !== subscription.spec.topic)
      throw invalid('The snapshot is of another topic.');
    this.#parts.journal.record({ seek: target, of: name });
    subscription.reset();
  }

  /** Stops all delivery; what the journal has stays. */
  close(): void {
    clearInterval(this.#expiry);
    this.#parts.journal.close();
    for (const [name, subscription] of this.#subscriptions) {
      this.#parts.deliveries.stop(name);
      subscription.close(notFound(name));
    }
    this.#subscriptions.clear();
  }

  get #state() {
    return this.#parts.journal.state;
  }

  #checkDeadLetterTopic({ deadLetterPolicy }: SubscriptionSpec): void {
    if (deadLetterPolicy?.deadLetterTopic) this.topic(deadLetterPolicy.deadLetterTopic);
  }

  #of(topic: string): Subscription[] {
    return [...this.#subscriptions.values()].filter(({ spec }) => spec.topic === topic && !spec.detached);
  }

  #start(stored: StoredSubscription): void {
    const subscription: Subscription = new Subscription(
      stored,
      (event) => this.#parts.journal.record(event),
      (message, attempt, failure) => this.#deadLetter(subscription, message, attempt, failure),
    );
    this.#subscriptions.set(stored.spec.name, subscription);
    this.#parts.deliveries.start(subscription);
  }

  /** Keeps messages, then delivers them. */
  #send(topic: string, messages: Unsent[]): string[] {
    const subscriptions = this.#of(topic);
    const wanted = new Map<Subscription, Message[]>(subscriptions.map((subscription) => [subscription, []]));
    let id = this.#state.lastId;
    const sent = messages.map((unsent): Sent => {
      const message: Message = { ...unsent, messageId: String(++id), publishTime: timestamp() };
      const takers = subscriptions.filter((subscription) => subscription.wants(message));
      for (const subscription of takers) wanted.get(subscription)?.push(message);
      return { message, to: takers.map(({ spec }) => spec.name) };
    });
    this.#parts.journal.record({ sent, topic });
    for (const [subscription, own] of wanted) subscription.enqueue(own);
    return sent.map(({ message }) => message.messageId);
  }

  /** False when the dead letter topic is gone: the message then stays with its subscription. */
  #deadLetter({ spec }: Subscription, message: Message, attempt: number, failure?: string): boolean {
    const topic = spec.deadLetterPolicy?.deadLetterTopic ?? '';
    if (!this.#state.topics.has(topic)) return false;
    this.#send(topic, [deadLetterOf(message, spec.name, attempt, failure)]);
    return true;
  }
}
