import { compileFilter } from './filter.ts';
import type { Filter } from './filter.ts';
import { millis, sizeOf } from './messages.ts';
import type { Message, SubscriptionSpec } from './messages.ts';

interface Delivery {
  message: Message;
  attempt: number;
}

interface Outstanding extends Delivery {
  deadline: NodeJS.Timeout;
  /** Whoever holds it, for flow control. */
  consumer: Consumer | undefined;
}

/** A delivered message. */
export interface Received {
  ackId: string;
  message: Message;
  deliveryAttempt: number;
}

/** Someone who wants messages as they come. */
export interface Consumer {
  /** Seconds that it has for a message. Default: the subscription's. */
  ackDeadlineSeconds?: number;
  /** How it spaces attempts where the subscription has no retry policy. Default: at once. */
  backoff?: { leastMs: number; mostMs: number };
  /** Messages that it can take now. */
  room(): number;
  /** Bytes that it can take now; the message that goes over them is the last. Default: any. */
  roomBytes?(): number;
  deliver(messages: Received[]): void;
  /** One of its messages is settled. */
  release(message: Message): void;
  /** The subscription is gone. */
  end(): void;
}

/** Messages of one write to a stream. */
const WRITE = 200;

let nextAckId = 0;

/** Sends a message to the dead letter topic; false when it cannot. */
type DeadLetter = (message: Message, attempt: number) => boolean;

/** The state of one subscription: what waits, what is out, who takes it. */
export class Subscription {
  spec: SubscriptionSpec;
  readonly #deadLetter: DeadLetter;
  readonly #filter: Filter;
  readonly #queue: Delivery[] = [];
  readonly #out = new Map<string, Outstanding>();
  readonly #busyKeys = new Set<string>();
  readonly #blocked = new Map<string, Delivery[]>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #consumers = new Set<Consumer>();
  readonly #waiters = new Set<() => void>();
  #pumping = false;

  constructor(spec: SubscriptionSpec, deadLetter: DeadLetter) {
    this.spec = spec;
    this.#deadLetter = deadLetter;
    this.#filter = compileFilter(spec.filter);
  }

  /** Messages that wait or are out. */
  get backlog(): number {
    let blocked = 0;
    for (const list of this.#blocked.values()) blocked += list.length;
    return this.#queue.length + this.#out.size + this.#timers.size + blocked;
  }

  publish(message: Message): void {
    if (this.#filter(message.attributes ?? {})) this.#enqueue({ message, attempt: 1 });
  }

  /** Takes up to so many messages. */
  take(max: number, consumer?: Consumer): Received[] {
    const taken: Received[] = [];
    let bytes = consumer?.roomBytes?.() ?? Infinity;
    while (taken.length < max && bytes > 0) {
      const delivery = this.#queue.shift();
      if (!delivery) break;
      bytes -= sizeOf(delivery.message);
      const ackId = String(++nextAckId);
      const seconds = consumer?.ackDeadlineSeconds || this.spec.ackDeadlineSeconds || 10;
      this.#out.set(ackId, { ...delivery, consumer, deadline: setTimeout(() => this.nack(ackId), seconds * 1000) });
      taken.push({
        ackId,
        message: delivery.message,
        deliveryAttempt: this.spec.deadLetterPolicy ? delivery.attempt : 0,
      });
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

  ack(ackId: string): void {
    const entry = this.#remove(ackId);
    if (entry) this.#settle(entry);
  }

  /** Moves the deadline; 0 seconds gives the message back. */
  extend(ackId: string, seconds: number): void {
    const entry = this.#out.get(ackId);
    if (!entry) return;
    if (seconds === 0) return this.nack(ackId);
    clearTimeout(entry.deadline);
    entry.deadline = setTimeout(() => this.nack(ackId), seconds * 1000);
  }

  nack(ackId: string): void {
    const entry = this.#remove(ackId);
    if (!entry) return;
    const { deadLetterPolicy } = this.spec;
    const spent = deadLetterPolicy?.deadLetterTopic && entry.attempt >= (deadLetterPolicy.maxDeliveryAttempts || 5);
    if (spent && this.#deadLetter(entry.message, entry.attempt)) {
      this.#settle(entry);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#queue.unshift({ message: entry.message, attempt: entry.attempt + 1 });
      this.#wake();
    }, this.#backoff(entry));
    this.#timers.add(timer);
  }

  addConsumer(consumer: Consumer): void {
    this.#consumers.add(consumer);
    this.#wake();
  }

  /** A consumer that leaves keeps its messages until their deadlines: acknowledgements may still come. */
  removeConsumer(consumer: Consumer): void {
    this.#consumers.delete(consumer);
  }

  /** Has consumers served, after they made room. */
  wake(): void {
    this.#wake();
  }

  close(): void {
    for (const consumer of this.#consumers) consumer.end();
    this.#consumers.clear();
    for (const { deadline } of this.#out.values()) clearTimeout(deadline);
    for (const timer of this.#timers) clearTimeout(timer);
    for (const done of [...this.#waiters]) done();
    this.#timers.clear();
    this.#out.clear();
    this.#queue.length = 0;
  }

  /** Milliseconds until a message that came back goes out again. */
  #backoff({ attempt, consumer }: Outstanding): number {
    const { retryPolicy } = this.spec;
    const least = retryPolicy ? millis(retryPolicy.minimumBackoff, 10_000) : (consumer?.backoff?.leastMs ?? 0);
    const most = retryPolicy ? millis(retryPolicy.maximumBackoff, 600_000) : (consumer?.backoff?.mostMs ?? 0);
    return Math.min(most, least * 2 ** (attempt - 1));
  }

  #enqueue(delivery: Delivery): void {
    const key = this.spec.enableMessageOrdering ? delivery.message.orderingKey : undefined;
    if (key && this.#busyKeys.has(key)) {
      const blocked = this.#blocked.get(key) ?? [];
      blocked.push(delivery);
      this.#blocked.set(key, blocked);
      return;
    }
    if (key) this.#busyKeys.add(key);
    this.#queue.push(delivery);
    this.#wake();
  }

  #remove(ackId: string): Outstanding | undefined {
    const entry = this.#out.get(ackId);
    if (!entry) return undefined;
    this.#out.delete(ackId);
    clearTimeout(entry.deadline);
    entry.consumer?.release(entry.message);
    return entry;
  }

  #settle({ message }: Outstanding): void {
    const key = this.spec.enableMessageOrdering ? message.orderingKey : undefined;
    if (key) {
      this.#busyKeys.delete(key);
      const blocked = this.#blocked.get(key);
      const next = blocked?.shift();
      if (!blocked?.length) this.#blocked.delete(key);
      if (next) this.#enqueue(next);
    }
    this.#wake();
  }

  #wake(): void {
    if (this.#queue.length) for (const done of [...this.#waiters]) done();
    if (this.#pumping || !this.#consumers.size) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    for (const consumer of this.#consumers) {
      const room = Math.min(consumer.room(), WRITE);
      if (room <= 0 || !this.#queue.length) continue;
      consumer.deliver(this.take(room, consumer));
    }
    if (this.#queue.length && [...this.#consumers].some((consumer) => consumer.room() > 0)) this.#wake();
  }
}
