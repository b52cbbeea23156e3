/** What became of an item that was taken in. */
export type Outcome = 'done' | 'failed' | 'dropped';

/** Items that are worked on one after the other, in their order; whoever gives one never waits. */
export class BoundedQueue<T> {
  readonly #capacity: number;
  readonly #work: (item: T) => Promise<void>;
  readonly #tell: (outcome: Outcome, error?: unknown) => void;
  readonly #items: T[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  /**
   * @param capacity items that wait at most; one that is too many is dropped
   * @param tell called for each item, once
   */
  constructor(capacity: number, work: (item: T) => Promise<void>, tell: (outcome: Outcome, error?: unknown) => void) {
    this.#capacity = capacity;
    this.#work = work;
    this.#tell = tell;
  }

  add(item: T): void {
    if (this.#closed || this.#items.length >= this.#capacity) return this.#tell('dropped');
    this.#items.push(item);
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Resolves once all that was given is worked on. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Takes nothing more, and drops what waits. */
  close(): void {
    this.#closed = true;
    for (const _ of this.#items.splice(0)) this.#tell('dropped');
  }

  async #run(): Promise<void> {
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      try {
        await this.#work(item);
        this.#tell('done');
      } catch (error) {
        this.#tell('failed', error);
      }
    }
  }
}
