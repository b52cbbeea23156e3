import type { Ledger, LedgerEvent } from '../lakehouse/ledger/index.ts';

/** How events are gathered. */
export interface BatchingOptions {
  /** Milliseconds that an event waits for others. Default 1,000: BigQuery likes few inserts, and nobody waits for an arrival. */
  waitMs?: number;
  /** Events of one insert. Default 500, as BigQuery recommends. */
  maxEvents?: number;
}

interface Waiting {
  event: LedgerEvent;
  resolve(): void;
  reject(error: unknown): void;
}

/** Gathers events of requests that run at the same time into one insert; each request ends when its event is in. */
export class EventBatcher {
  readonly #ledger: Ledger;
  readonly #waitMs: number;
  readonly #maxEvents: number;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(ledger: Ledger, { waitMs = 1_000, maxEvents = 500 }: BatchingOptions = {}) {
    this.#ledger = ledger;
    this.#waitMs = waitMs;
    this.#maxEvents = maxEvents;
  }

  /** Resolves once the event is in the ledger. */
  append(event: LedgerEvent): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject });
      if (this.#waiting.length >= this.#maxEvents) this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), this.#waitMs);
    });
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#ledger.append(batch.map(({ event }) => event)).then(
      () => batch.forEach(({ resolve }) => resolve()),
      (error: unknown) => batch.forEach(({ reject }) => reject(error)),
    );
  }
}
