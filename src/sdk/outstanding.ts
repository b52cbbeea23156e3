/** Most that may be on its way at once. */
export interface OutstandingLimits {
  maxMessages: number;
  maxBytes: number;
}

interface Waiting {
  bytes: number;
  orderingKey: string | undefined;
  admit: () => void;
  refuse: (error: unknown) => void;
}

/**
 * Backpressure: lets messages through in the order they came, while no more are on their way than the limits allow. One by itself
 * always gets through, whatever its size. (The flow control of Google's client lets one waiter go for each answer only while all
 * that wait would fit too, so publishes that were called side by side hang for ever.)
 */
export class Outstanding {
  readonly #limits: OutstandingLimits;
  readonly #waiting: Waiting[] = [];
  #messages = 0;
  #bytes = 0;

  constructor(limits: OutstandingLimits) {
    this.#limits = limits;
  }

  /** Resolves when the message may go; it counts from then on. Undefined: at once. */
  enter(bytes: number, orderingKey?: string): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#count(bytes);
      return undefined;
    }
    return new Promise((admit, refuse) => this.#waiting.push({ bytes, orderingKey, admit, refuse }));
  }

  /** The message got its answer. */
  leave(bytes: number): void {
    this.#messages -= 1;
    this.#bytes -= bytes;
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#count(next.bytes);
      next.admit();
    }
  }

  /** Refuses what waits behind a message of this key that failed: it must not overtake. */
  refuseBehind(orderingKey: string, error: unknown): void {
    const kept = this.#waiting.splice(0);
    for (const waiting of kept)
      if (waiting.orderingKey === orderingKey) waiting.refuse(error);
      else this.#waiting.push(waiting);
  }

  #count(bytes: number): void {
    this.#messages += 1;
    this.#bytes += bytes;
  }

  #fits(bytes: number): boolean {
    const { maxMessages, maxBytes } = this.#limits;
    return this.#messages === 0 || (this.#messages < maxMessages && this.#bytes + bytes <= maxBytes);
  }
}
