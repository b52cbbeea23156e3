import type { Message, Subscription } from '@google-cloud/pubsub';
import { googleError } from '../../src/gcp/errors.ts';

/** When a batch is full. */
export interface BatchLimits {
  maxMessages: number;
  /** Milliseconds that its first message waits for others. */
  maxLatencyMs: number;
}

/** Bytes of messages held at most: what waits, and what is in work. */
export const MAX_BYTES = 256 << 20;

/**
 * Seconds for which Pub/Sub leaves a message to a job before it asks for more, at least. Less, and a job that is busy for a moment gets its
 * messages twice; more, and those of a job that died are away for longer.
 */
export const MIN_ACK_DEADLINE_SECONDS = 30;

/** Cuts what a subscription delivers into batches. Leases of held messages are extended by Google's client. */
export class Inbox {
  readonly #subscription: Subscription;
  readonly #limits: BatchLimits;
  #waiting: Message[] = [];
  #firstAt = 0;
  #stopped = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(subscription: Subscription, limits: BatchLimits) {
    this.#subscription = subscription;
    this.#limits = limits;
    subscription.on('message', (message: Message) => this.#take(message));
    subscription.on('error', (error) => this.#fail(error));
    subscription.on('close', () => this.#fail(new Error('the subscription was closed')));
  }

  /**
   * The next batch, once it is full or old enough; empty once the inbox is stopped.
   *
   * @throws CupelError CUP_GOOGLE_UNAVAILABLE, CUP_GOOGLE_REFUSED when the subscription is lost
   */
  async next(): Promise<Message[]> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      if (this.#stopped) return [];
      const restMs = this.#restMs();
      if (restMs <= 0) return this.#cut();
      await this.#change(restMs);
    }
  }

  /** Takes no more messages and gives back those that are in no batch: someone else gets them. */
  stop(): void {
    this.#stopped = true;
    for (const message of this.#waiting.splice(0)) message.nack();
    this.#wake();
  }

  #take(message: Message): void {
    if (this.#stopped) return message.nack();
    if (!this.#waiting.length) this.#firstAt = performance.now();
    this.#waiting.push(message);
    if (this.#waiting.length === 1 || this.#waiting.length >= this.#limits.maxMessages) this.#wake();
  }

  #fail(error: Error): void {
    if (this.#stopped) return;
    this.#failure ??= googleError('Pub/Sub', `subscription ${this.#subscription.name}`, error);
    this.#wake();
  }

  /** Milliseconds until the batch is to be cut. */
  #restMs(): number {
    if (!this.#waiting.length) return Infinity;
    if (this.#waiting.length >= this.#limits.maxMessages) return 0;
    return this.#firstAt + this.#limits.maxLatencyMs - performance.now();
  }

  #cut(): Message[] {
    const batch = this.#waiting.splice(0, this.#limits.maxMessages);
    this.#firstAt = performance.now();
    return batch;
  }

  #change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(withinMs) ? setTimeout(resolve, withinMs) : undefined;
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
