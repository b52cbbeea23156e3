import type { GrpcError } from '../../grpc.ts';
import { millis, sizeOf } from '../messages.ts';
import type { Message } from '../messages.ts';
import type { SubscriptionSpec } from '../resources.ts';
import type { BrokerEvent, StoredSubscription } from '../state/broker-state.ts';
import type { Consumer, Received } from './consumer.ts';
import { compileFilter } from './filter.ts';
import type { Filter } from './filter.ts';
import { Leases } from './leases.ts';
import type { Lease } from './leases.ts';
import { Ordering } from './ordering.ts';
import type { Delivery } from './ordering.ts';
import { Queue } from './queue.ts';

/** Sends a message to the dead letter topic; false when it cannot. */
export type DeadLetter = (message: Message, attempt: number, failure?: string) => boolean;

/** Messages of one write to a stream. */
const WRITE = 200;

/** The delivery of one subscription: what waits, what is out, who takes it. */
export class Subscription {
  readonly #stored: StoredSubscription;
  readonly #record: (event: BrokerEvent) => void;
  readonly #deadLetter: DeadLetter;
  readonly #filter: Filter;
  readonly #queue = new Queue<Delivery>();
  readonly #leases = new Leases((lease) => this.nack(lease.ackId));
  readonly #ordering = new Ordering<Lease>((deliveries) => this.#release(deliveries));
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #consumers = new Set<Consumer>();
  readonly #waiters = new Set<() => void>();
  #pumping = false;

  /** Starts with all that is stored as pending. */
  constructor(stored: StoredSubscription, record: (event: BrokerEvent) => void, deadLetter: DeadLetter) {
    this.#stored = stored;
    this.#record = record;
    this.#deadLetter = deadLetter;
    this.#filter = compileFilter(stored.spec.filter);
    this.reset();
  }

  get spec(): SubscriptionSpec {
    return this.#stored.spec;
  }

  /** Messages that nobody has acknowledged. */
  get backlog(): number {
    return this.#stored.pending.size;
  }

  /** Whether its filter lets a message through. */
  wants(message: Message): boolean {
    return this.#filter(message.attributes ?? {});
  }

  /** Delivers messages that are stored as pending. */
  enqueue(messages: Iterable<Message>): void {
    const { attempts } = this.#stored;
    for (const message of messages)
      this.#queue.push({ message, attempt: (attempts.size ? (attempts.get(message.messageId) ?? 0) : 0) + 1 });
    this.wake();
  }

  /** Begins anew with what is stored as pending, as after a seek. */
  reset(): void {
    this.#leases.endAll();
    this.#clear();
    this.enqueue(this.#stored.pending.values());
  }

  /** Takes up to so many messages. */
  take(max: number, consumer?: Consumer): Received[] {
    const taken: Received[] = [];
    // Each pull holds the ordering keys of what it took on its own.
    const holder = consumer ?? {};
    let bytes = consumer?.roomBytes?.() ?? Infinity;
    while (taken.length < max && bytes > 0) {
      const delivery = this.#queue.shift();
      if (!delivery) break;
      const { message, attempt } = delivery;
      if (!this.#stored.pending.has(message.messageId)) continue; // its retention is over
      const key = this.#keyOf(message);
      if (key && !this.#ordering.admit(key, delivery, holder, consumer?.oneAtATime ?? false)) continue;
      bytes -= sizeOf(message);
      const lease = this.#leases.add(
        delivery,
        consumer,
        consumer?.ackDeadlineSeconds || this.spec.ackDeadlineSeconds || 10,
      );
      if (key) this.#ordering.delivered(key, lease);
      taken.push({ ackId: lease.ackId, message, deliveryAttempt: this.spec.deadLetterPolicy ? attempt : 0 });
    }
    return taken;
  }

  /** Resolves when a message waits, or after the time. */
  async waitForMessage(ms: number): Promise<void> {
    if (this.#queue.length) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiters.add(done);
    });
  }

  /** Answers the ids that are not out any more. */
  ack(ackIds: readonly string[]): string[] {
    const invalid: string[] = [];
    const done: Lease[] = [];
    for (const ackId of ackIds) {
      const lease = this.#leases.get(ackId);
      if (lease) done.push(this.#leases.end(lease));
      else invalid.push(ackId);
    }
    this.#settle(done);
    return invalid;
  }

  /** Moves deadlines; 0 seconds gives the messages back. Answers the ids that are not out any more. */
  extend(ackIds: readonly string[], seconds: number): string[] {
    const invalid = ackIds.filter((ackId) => !this.#leases.get(ackId));
    for (const ackId of ackIds) {
      const lease = this.#leases.get(ackId);
      if (!lease) continue;
      if (seconds === 0) this.nack(ackId);
      else this.#leases.extend(lease, seconds);
    }
    return invalid;
  }

  /** @param failure why an export could not write the message */
  nack(ackId: string, failure?: string): void {
    const lease = this.#leases.get(ackId);
    if (!lease) return;
    const { deadLetterPolicy } = this.spec;
    const spent = deadLetterPolicy?.deadLetterTopic && lease.attempt >= (deadLetterPolicy.maxDeliveryAttempts || 5);
    if (spent && this.#deadLetter(lease.message, lease.attempt, failure))
      return this.#settle([this.#leases.end(lease)]);
    if (deadLetterPolicy) this.#record({ attempts: { [lease.message.messageId]: lease.attempt }, of: this.spec.name });
    const goOn = this.#takeBack(lease, lease.attempt + 1);
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        goOn();
      },
      this.#backoff(lease, failure),
    );
    this.#timers.add(timer);
  }

  /** Takes messages back as if they had never been out. */
  undeliver(ackIds: readonly string[]): void {
    for (const ackId of ackIds.toReversed()) {
      const lease = this.#leases.get(ackId);
      if (lease) this.#takeBack(lease, lease.attempt)();
    }
  }

  addConsumer(consumer: Consumer): void {
    this.#consumers.add(consumer);
    this.wake();
  }

  /** A consumer that leaves keeps its messages until their deadlines: acknowledgements may still come. */
  removeConsumer(consumer: Consumer): void {
    this.#consumers.delete(consumer);
  }

  /** Has consumers served: there are messages, or there is room. */
  wake(): void {
    if (this.#queue.length) for (const done of [...this.#waiters]) done();
    if (this.#pumping || !this.#consumers.size) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  close(reason: GrpcError): void {
    for (const consumer of this.#consumers) consumer.end(reason);
    this.#consumers.clear();
    for (const done of [...this.#waiters]) done();
    this.#leases.endAll();
    this.#clear();
  }

  #clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#ordering.clear();
    this.#queue.clear();
  }

  #keyOf(message: Message): string | undefined {
    return this.spec.enableMessageOrdering ? message.orderingKey || undefined : undefined;
  }

  /** Milliseconds until a message that came back goes out again. */
  #backoff({ attempt, consumer }: Lease, failure: string | undefined): number {
    const { retryPolicy, deadLetterPolicy } = this.spec;
    // As on Google: what cannot be written does not get better by waiting, where there is another place for it.
    if (failure && deadLetterPolicy) return 0;
    const least = retryPolicy ? millis(retryPolicy.minimumBackoff, 10_000) : (consumer?.backoff?.leastMs ?? 0);
    const most = retryPolicy ? millis(retryPolicy.maximumBackoff, 600_000) : (consumer?.backoff?.mostMs ?? 0);
    return Math.min(most, least * 2 ** (attempt - 1));
  }

  /** Takes back a message, and under an ordering key all that follow it; the answer has them delivered again. */
  #takeBack(lease: Lease, attempt: number): () => void {
    this.#leases.end(lease);
    const key = this.#keyOf(lease.message);
    if (!key) return () => this.#release([{ message: lease.message, attempt }]);
    for (const later of this.#ordering.revoke(key, lease, attempt)) this.#leases.end(later);
    return () => this.#ordering.resume(key);
  }

  #release(deliveries: Delivery[]): void {
    this.#queue.unshift(deliveries);
    this.wake();
  }

  #settle(done: Lease[]): void {
    const settled: string[] = [];
    for (const lease of done) {
      const key = this.#keyOf(lease.message);
      if (key) settled.push(...this.#ordering.acked(key, lease));
      else settled.push(lease.message.messageId);
    }
    if (settled.length) this.#record({ settled, of: this.spec.name });
    this.wake();
  }

  #pump(): void {
    for (const consumer of this.#consumers) {
      const room = Math.min(consumer.room(), WRITE);
      if (room <= 0 || !this.#queue.length) continue;
      const messages = this.take(room, consumer);
      if (messages.length) consumer.deliver(messages);
    }
    if (this.#queue.length && [...this.#consumers].some((consumer) => consumer.room() > 0)) this.wake();
  }
}
