import { compileFilter } from './filter.ts';
import type { Filter } from './filter.ts';
import { millis } from './messages.ts';
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
  /** Messages that it can take now. */
  room(): number;
  deliver(messages: Received[]): void;
  /** One of its messages is settled. */
  release(): void;
}

/** Messages of one write to a stream. */
const WRITE = 200;

let nextAckId = 0;

/** The state of one subscription: what waits, what is out, who takes it. */
export class Subscription {
  spec: SubscriptionSpec;
  readonly #deadLetter: (message: Message, attempt: number) => void;
  #filter: Filter;
  readonly #queue: Delivery[] = [];
  readonly #out = new Map<string, Outstanding>();
  readonly #busyKeys = new Set<string>();
  readonly #blocked = new Map<string, Delivery[]>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #consumers = new Set<Consumer>();
  readonly #waiters = new Set<() => void>();
  #pumping = false;

  constructor(spec: SubscriptionSpec, deadLetter: (message: Message, attempt: number) => void) {
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
    while (taken.length < max) {
      const delivery = this.#queue.shift();
      if (!delivery) break;
      const ackId = String(++nextAckId);
      const seconds = this.spec.ackDeadlineSeconds || 10;
      this.#out.set(ackId, { ...delivery, consumer, deadline: setTimeout(() => this.nack(ackId), seconds * 1000) });
      taken.push({ ackId, message: delivery.message, deliveryAttempt: this.spec.deadLetterPolicy ? delivery.attempt : 0 });
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
    const { deadLetterPolicy, retryPolicy } = this.spec;
    if (deadLetterPolicy?.deadLetterTopic && entry.attempt >= (deadLetterPolicy.maxDeliveryAttempts || 5)) {
      this.#deadLetter(entry.message, entry.attempt);
      this.#settle(entry);
      return;
    }
    const least = millis(retryPolicy?.minimumBackoff, retryPolicy ? 10_000 : 0);
    const most = millis(retryPolicy?.maximumBackoff, 600_000);
    const wait = Math.min(most, least * 2 ** (entry.attempt - 1));
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#queue.unshift({ message: entry.message, attempt: entry.attempt + 1 });
      this.#wake();
    }, wait);
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
    for (const { deadline } of this.#out.values()) clearTimeout(deadline);
    for (const timer of this.#timers) clearTimeout(timer);
    for (const done of [...this.#waiters]) done();
    this.#out.clear();
    this.#queue.length = 0;
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
    entry.consumer?.release();
    return entry;
  }

  #settle({ message }: Outstanding): void {
    const key = this.spec.enableMessageOrdering ? message.orderingKey : undefined;
    if (key) {
      this.#busyKeys.delete(key);
      const next = this.#blocked.get(key)?.shift();
      if (next) this.#enqueue(next);
    }
    this.#wake();
  }

  #wake(): void {
    for (const done of [...this.#waiters]) done();
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
