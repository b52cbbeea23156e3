import { epochMs, millis } from '../messages.ts';
import type { Message, Timestamp } from '../messages.ts';
import { DELETED_SCHEMA, DELETED_TOPIC } from '../resources.ts';
import type { Schema, Snapshot, SubscriptionSpec, Topic } from '../resources.ts';
import { compileFilter } from '../subscription/filter.ts';

/** A message, and the subscriptions that have it before them. */
export interface Sent {
  message: Message;
  to: string[];
}

/** Whatever changes what the broker keeps. */
export type BrokerEvent =
  | { topic: Topic }
  | { deletedTopic: string }
  | { subscription: SubscriptionSpec }
  | { deletedSubscription: string }
  /** `topic` is absent where a compaction lists what subscriptions still have. */
  | { sent: Sent[]; topic?: string }
  | { settled: string[]; of: string }
  /** Delivery attempts that a message has had, by its id. */
  | { attempts: Record<string, number>; of: string }
  | { seek: { time: Timestamp } | { snapshot: string }; of: string }
  /** `of`: the subscription whose backlog the snapshot holds; absent in a compaction, and when it is updated. */
  | { snapshot: Snapshot; of?: string }
  | { deletedSnapshot: string }
  /** Messages that a snapshot or a topic holds, by its name. */
  | { kept: Message[]; by: string }
  | { schema: Schema }
  | { deletedSchema: string; revisionId?: string }
  | { lastId: number };

type Messages = Map<string, Message>;

/** A subscription and its messages by id, the oldest first. */
export interface StoredSubscription {
  spec: SubscriptionSpec;
  /** Those that nobody has acknowledged. */
  pending: Messages;
  /** Those that `retainAckedMessages` keeps. */
  acked: Messages;
  /** Delivery attempts of those that were given back. */
  attempts: Map<string, number>;
}

/** A topic; `retained` are the messages that its own retention keeps. */
export interface StoredTopic {
  topic: Topic;
  retained: Messages;
}

/** A snapshot and what it holds: a backlog, and all that came to its topic since. */
export interface StoredSnapshot {
  snapshot: Snapshot;
  messages: Messages;
}

const WEEK_MS = 7 * 86_400_000;

/** All that Pub/Sub keeps. It changes by events only, so that it can be had again from them. */
export class BrokerState {
  readonly topics = new Map<string, StoredTopic>();
  readonly subscriptions = new Map<string, StoredSubscription>();
  readonly snapshots = new Map<string, StoredSnapshot>();
  /** Revisions by name of the schema, the oldest first. */
  readonly schemas = new Map<string, Schema[]>();
  /** The greatest id of a message, of acknowledged ones too. */
  lastId = 0;

  apply(event: BrokerEvent): void {
    if ('sent' in event) this.#send(event.sent, event.topic);
    else if ('settled' in event) this.#settle(event.settled, event.of);
    else if ('attempts' in event) this.#count(event.attempts, event.of);
    else if ('kept' in event) this.#keep(event.kept, event.by);
    else if ('seek' in event) this.#seek(event.seek, event.of);
    else if ('lastId' in event) this.lastId = Math.max(this.lastId, event.lastId);
    else this.#applyToResource(event);
  }

  /** Drops messages and snapshots whose time is over. */
  expire(now: number): void {
    for (const { spec, pending, acked } of this.subscriptions.values()) {
      const oldest = now - millis(spec.messageRetentionDuration ?? undefined, WEEK_MS);
      dropBefore(pending, oldest);
      dropBefore(acked, oldest);
    }
    for (const { topic, retained } of this.topics.values())
      dropBefore(retained, now - millis(topic.messageRetentionDuration ?? undefined, 0));
    for (const [name, { snapshot }] of this.snapshots)
      if (epochMs(snapshot.expireTime) <= now) this.snapshots.delete(name);
  }

  /** The fewest events that make this state. */
  *events(): Generator<BrokerEvent> {
    yield { lastId: this.lastId };
    for (const revisions of this.schemas.values()) for (const schema of revisions) yield { schema };
    for (const { topic, retained } of this.topics.values()) {
      yield { topic };
      for (const message of retained.values()) yield { kept: [message], by: topic.name };
    }
    for (const { snapshot, messages } of this.snapshots.values()) {
      yield { snapshot };
      for (const message of messages.values()) yield { kept: [message], by: snapshot.name };
    }
    for (const stored of this.subscriptions.values()) yield* eventsOf(stored);
  }

  #applyToResource(event: Exclude<BrokerEvent, { sent: Sent[] }>): void {
    if ('subscription' in event) this.#subscribe(event.subscription);
    else if ('deletedSubscription' in event) this.subscriptions.delete(event.deletedSubscription);
    else if ('snapshot' in event) this.#snapshot(event.snapshot, event.of);
    else if ('deletedSnapshot' in event) this.snapshots.delete(event.deletedSnapshot);
    else if ('schema' in event)
      this.schemas.set(event.schema.name, [...(this.schemas.get(event.schema.name) ?? []), event.schema]);
    else if ('deletedSchema' in event) this.#deleteSchema(event.deletedSchema, event.revisionId);
    else if ('deletedTopic' in event) this.#deleteTopic(event.deletedTopic);
    else if ('topic' in event) this.#topic(event.topic);
  }

  #topic(topic: Topic): void {
    const retained: Messages = this.topics.get(topic.name)?.retained ?? new Map();
    if (!topic.messageRetentionDuration) retained.clear();
    this.topics.set(topic.name, { topic, retained });
  }

  #deleteTopic(name: string): void {
    this.topics.delete(name);
    for (const { spec } of this.subscriptions.values()) if (spec.topic === name) spec.topic = DELETED_TOPIC;
    for (const { snapshot } of this.snapshots.values()) if (snapshot.topic === name) snapshot.topic = DELETED_TOPIC;
  }

  #deleteSchema(name: string, revisionId: string | undefined): void {
    const left = revisionId ? (this.schemas.get(name) ?? []).filter((one) => one.revisionId !== revisionId) : [];
    if (left.length) return void this.schemas.set(name, left);
    this.schemas.delete(name);
    for (const { topic } of this.topics.values())
      if (topic.schemaSettings?.schema === name) topic.schemaSettings.schema = DELETED_SCHEMA;
  }

  #subscribe(spec: SubscriptionSpec): void {
    const stored = this.subscriptions.get(spec.name);
    if (!stored) {
      this.subscriptions.set(spec.name, { spec, pending: new Map(), acked: new Map(), attempts: new Map() });
      return;
    }
    stored.spec = spec;
    if (!spec.retainAckedMessages) stored.acked.clear();
  }

  #send(sent: Sent[], topic: string | undefined): void {
    for (const { message, to } of sent) {
      this.lastId = Math.max(this.lastId, Number(message.messageId));
      for (const name of to) this.subscriptions.get(name)?.pending.set(message.messageId, message);
    }
    if (topic === undefined) return;
    const keepers: Messages[] = [];
    const stored = this.topics.get(topic);
    if (stored?.topic.messageRetentionDuration) keepers.push(stored.retained);
    for (const { snapshot, messages } of this.snapshots.values()) if (snapshot.topic === topic) keepers.push(messages);
    for (const keeper of keepers) for (const { message } of sent) keeper.set(message.messageId, message);
  }

  #settle(ids: string[], of: string): void {
    const stored = this.subscriptions.get(of);
    if (!stored) return;
    const { pending, acked, attempts, spec } = stored;
    for (const id of ids) {
      const message = pending.get(id);
      pending.delete(id);
      if (attempts.size) attempts.delete(id);
      if (message && spec.retainAckedMessages) acked.set(id, message);
    }
  }

  #count(attempts: Record<string, number>, of: string): void {
    const stored = this.subscriptions.get(of);
    for (const [id, attempt] of Object.entries(attempts)) stored?.attempts.set(id, attempt);
  }

  #keep(messages: Message[], by: string): void {
    const keeper = this.snapshots.get(by)?.messages ?? this.topics.get(by)?.retained;
    for (const message of messages) keeper?.set(message.messageId, message);
  }

  #snapshot(snapshot: Snapshot, of: string | undefined): void {
    const backlog =
      of === undefined ? this.snapshots.get(snapshot.name)?.messages : this.subscriptions.get(of)?.pending;
    this.snapshots.set(snapshot.name, { snapshot, messages: new Map(backlog) });
  }

  /** Has a subscription's messages before or after a point be acknowledged or not. */
  #seek(target: { time: Timestamp } | { snapshot: string }, of: string): void {
    const stored = this.subscriptions.get(of);
    if (!stored) return;
    const held = 'snapshot' in target ? this.snapshots.get(target.snapshot)?.messages : undefined;
    const from = 'time' in target ? epochMs(target.time) : Infinity;
    const wanted = (message: Message): boolean =>
      held ? held.has(message.messageId) : epochMs(message.publishTime) >= from;
    const all = this.#retainedBy(stored, held);
    stored.pending = new Map([...all].filter(([, message]) => wanted(message)));
    stored.acked = new Map(stored.spec.retainAckedMessages ? [...all].filter(([, message]) => !wanted(message)) : []);
    stored.attempts.clear();
  }

  /** Messages that a seek can reach, by id, the oldest first. */
  #retainedBy({ spec, pending, acked }: StoredSubscription, held: Messages | undefined): Messages {
    const passes = compileFilter(spec.filter);
    const shared = [...(held ?? []), ...(this.topics.get(spec.topic)?.retained ?? [])];
    const own = [...acked, ...pending, ...shared.filter(([, message]) => passes(message.attributes ?? {}))];
    return new Map(own.sort(([a], [b]) => Number(a) - Number(b)));
  }
}

function* eventsOf({ spec, pending, acked, attempts }: StoredSubscription): Generator<BrokerEvent> {
  yield { subscription: spec };
  for (const message of acked.values()) {
    yield { sent: [{ message, to: [spec.name] }] };
    yield { settled: [message.messageId], of: spec.name };
  }
  for (const message of pending.values()) yield { sent: [{ message, to: [spec.name] }] };
  if (attempts.size) yield { attempts: Object.fromEntries(attempts), of: spec.name };
}

/** Messages lie in the order of their publish times. */
function dropBefore(messages: Messages, ms: number): void {
  for (const [id, { publishTime }] of messages) {
    if (epochMs(publishTime) >= ms) break;
    messages.delete(id);
  }
}
