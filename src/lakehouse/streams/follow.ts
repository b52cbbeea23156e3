import type { DeltaStore } from '../deltas/index.ts';
import type { StreamEntry, StreamLog } from './stream-log.ts';

/** A published batch that is not settled. */
export interface OpenBatch extends StreamEntry {
  /** Its place in the log. */
  number: number;
  /** When it was last submitted, milliseconds since 1970. Default: never. */
  submittedMs?: number;
}

/** How far a stream's log was followed. */
export interface FollowState {
  /** The entry to read next. */
  next: number;
  open: OpenBatch[];
}

/** What following works with. */
export interface FollowResources {
  log: Pick<StreamLog, 'bounds' | 'read' | 'remove'>;
  deltas: Pick<DeltaStore, 'readDone'>;
  /** Hands batches of one contract to the committer of their table. */
  submit(batches: OpenBatch[]): Promise<void>;
  /** Enters settled batches of one contract into the ledger. */
  record(batches: OpenBatch[]): Promise<void>;
  now(): number;
}

/** Most batches that are looked at in one round: a committer takes no more at once. */
const AT_ONCE = 200;

/** Milliseconds after which a batch is submitted again: what says that it was may have been lost. */
const SUBMIT_AGAIN_MS = 60_000;

function byContract(batches: OpenBatch[]): OpenBatch[][] {
  return [...Map.groupBy(batches, ({ table, contractUri }) => `${table} ${contractUri}`).values()];
}

/** Follows the log of a stream: submits what it publishes, and enters what is settled. Every step may be repeated. */
export class StreamFollower {
  readonly #resources: FollowResources;
  readonly #waitMs: number;
  #next: number;
  #open: OpenBatch[];

  /** @param waitMs how long a batch may wait for others, so that fewer commits write less */
  constructor(resources: FollowResources, { next, open }: FollowState, waitMs: number) {
    this.#resources = resources;
    this.#next = next;
    this.#open = [...open];
    this.#waitMs = waitMs;
  }

  get state(): FollowState {
    return { next: this.#next, open: this.#open };
  }

  /** To be called once before the first round: entries that an attempt before this one removed are not waited for. */
  async begin(): Promise<void> {
    const { first } = await this.#resources.log.bounds();
    this.#next = Math.max(this.#next, first);
  }

  /**
   * One round.
   *
   * @param flush submits at once, whatever may still come
   * @returns the batches that were found settled
   */
  async round(flush: boolean): Promise<OpenBatch[]> {
    await this.#readNew();
    await this.#submit(flush);
    return this.#settle(); // last, since it writes to the ledger, and data never waits for that
  }

  async #readNew(): Promise<void> {
    while (this.#open.length < AT_ONCE) {
      const entry = await this.#resources.log.read(this.#next);
      if (!entry) return;
      this.#open.push({ ...entry, number: this.#next });
      this.#next += 1;
    }
  }

  async #settle(): Promise<OpenBatch[]> {
    const { deltas, record, log } = this.#resources;
    const dones = await Promise.all(this.#open.map(({ table, batchId }) => deltas.readDone(table, batchId)));
    const settled = this.#open.filter((_, index) => dones[index]);
    for (const batches of byContract(settled)) await record(batches);
    const newest = this.#next - 1;
    // The newest one stays, since the next number is told by it.
    const old = settled.filter(({ number }) => number !== newest);
    await Promise.all(old.map(({ number }) => log.remove(number)));
    this.#open = this.#open.filter((_, index) => !dones[index]);
    return settled;
  }

  async #submit(flush: boolean): Promise<void> {
    const now = this.#resources.now();
    const waiting = this.#open.filter(({ submittedMs }) => submittedMs === undefined);
    const due = flush || waiting.some(({ at }) => now - Date.parse(at) >= this.#waitMs);
    const again = this.#open.filter(({ submittedMs = now }) => now - submittedMs >= SUBMIT_AGAIN_MS);
    const batches = [...(due ? waiting : []), ...again];
    for (const group of byContract(batches)) await this.#resources.submit(group);
    for (const batch of batches) batch.submittedMs = now;
  }
}
