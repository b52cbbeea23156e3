/** A queue that also takes things back at its front, in constant time for each. */
export class Queue<T> {
  /** What came back, the next one last. */
  readonly #front: T[] = [];
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#front.length + this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Puts items before all others; they keep their order. */
  unshift(items: readonly T[]): void {
    for (let index = items.length - 1; index >= 0; index -= 1) this.#front.push(items[index]!);
  }

  shift(): T | undefined {
    if (this.#front.length) return this.#front.pop();
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#head += 1;
    // Array.shift moves all that follow; so they are moved only after many.
    if (this.#head > 1_000 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#front.length = 0;
    this.#items = [];
    this.#head = 0;
  }
}
