import type { DeltaStore } from '../deltas/index.ts';
import { isSettled } from './settled.ts';
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
  /** Numbers of entries that are settled and known to be so, but still in the log. */
  settled: number[];
}

/** What following works with. */
export interface FollowResources {
  log: Pick<StreamLog, 'bounds' | 'read' | 'remove' | 'close'>;
  deltas: Pick<DeltaStore, 'readDone' | 'readManifest'>;
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
  #settled: number[];
  #settling: Promise<OpenBatch[]> | undefined;

  /** @param waitMs how long a batch may wait for others, so that fewer commits write less */
  constructor(resources: FollowResources, { next, open, settled }: FollowState, waitMs: number) {
    this.#resources = resources;
    this.#next = next;
    this.#open = [...open];
    this.#settled = [...settled];
    this.#waitMs = waitMs;
  }

  get state(): FollowState {
    return { next: this.#next, open: this.#open, settled: this.#settled };
  }

  /**
   * To be called once before the first round. What whoever keeps the state knows to be settled leaves the log only now: an attempt whose
   * answer was lost finds it again, and counts it.
   */
  async begin(): Promise<void> {
    const { first, next } = await this.#resources.log.bounds();
    await this.#remove(next - 1);
    await this.#readBehind(first);
    this.#next = Math.max(this.#next, first);
  }

  /** The newest entry stays, since the next number is told by it. */
  async #remove(newest: number): Promise<void> {
    const { log } = this.#resources;
    const end = (number: number) => (number === newest ? log.close(number) : log.remove(number));
    await Promise.all(this.#settled.map(end));
    this.#settled = this.#settled.filter((number) => number === newest);
  }

  /** A job that was thought dead may have appended where an entry was removed. */
  async #readBehind(first: number): Promise<void> {
    const known = new Set([...this.#open.map(({ number }) => number), ...this.#settled]);
    for (let number = first; number < this.#next; number += 1) {
      const entry = known.has(number) ? undefined : await this.#resources.log.read(number);
      if (entry) this.#take(entry, number);
    }
  }

  /**
   * One look: submits what is due. What is settled is entered into the ledger beside the looks, since data never waits for that.
   *
   * @throws what keeps batches from being submitted; what kept them from being entered, at the next look or round
   */
  async look(): Promise<void> {
    await this.#readNew();
    await this.#submit(false);
    if (!this.#settling) {
      const settling = this.#settle();
      this.#settling = settling;
      const forget = (): void => void (this.#settling = undefined);
      settling.then(forget, () => undefined); // a failure stays until somebody waits for it
    }
    await Promise.race([this.#settling, Promise.resolve()]); // throws where it has failed
  }

  /**
   * One round, after which all that was settled when it began is entered.
   *
   * @param flush submits at once, whatever may still come
   * @returns the batches that it found settled
   */
  async round(flush: boolean): Promise<OpenBatch[]> {
    await this.#settling;
    await this.#readNew();
    await this.#submit(flush);
    return this.#settle();
  }

  async #readNew(): Promise<void> {
    while (this.#open.length < AT_ONCE) {
      const entry = await this.#resources.log.read(this.#next);
      if (!entry) return;
      this.#take(entry, this.#next);
      this.#next += 1;
    }
  }

  #take(entry: StreamEntry, number: number): void {
    if (entry.over) this.#settled.push(number);
    else this.#open.push({ ...entry, number });
  }

  async #settle(): Promise<OpenBatch[]> {
    const { deltas, record, now } = this.#resources;
    const submitted = this.#open.filter(({ submittedMs }) => submittedMs !== undefined);
    const looking = submitted.map((batch) => isSettled(deltas, { ...batch, atMs: Date.parse(batch.at) }, now()));
    const done = await Promise.all(looking);
    const settled = submitted.filter((_, index) => done[index]);
    for (const batches of byContract(settled)) await record(batches);
    this.#settled.push(...settled.map(({ number }) => number));
    this.#open = this.#open.filter((batch) => !settled.includes(batch));
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
