import type { StreamedSpan } from '../deltas/index.ts';
import type { ObjectStore } from '../object-store.ts';

/** A published batch of a stream. */
export interface StreamEntry extends StreamedSpan {
  batchId: string;
  /** `<namespace>.<table>` */
  table: string;
  /** URI of the contract that made it. */
  contractUri: string;
  /** When its manifest was there, RFC 3339. */
  at: string;
  /** Nobody waits for it any more: it is settled, or was refused for good. Default false. */
  over?: boolean;
}

const DIGITS = 12;

/**
 * The batches of a source's stream in the order of their publication: `streams/<source>/<number>.json` in the ops bucket, each
 * created once. Jobs that run at once (a zombie, and what took its place) append to the same log, so that no batch whose messages
 * were acknowledged is ever overlooked.
 */
export class StreamLog {
  readonly #store: ObjectStore;
  readonly #folder: string;

  /** @param bucket the ops bucket */
  constructor(store: ObjectStore, bucket: string, source: string) {
    this.#store = store;
    this.#folder = `gs://${bucket}/streams/${source}`;
  }

  #uri(number: number): string {
    return `${this.#folder}/${String(number).padStart(DIGITS, '0')}.json`;
  }

  /**
   * Appends an entry at the first free number.
   *
   * @param from a number that is not behind the first free one
   * @returns the entry's number
   */
  async append(entry: StreamEntry, from: number): Promise<number> {
    const body = JSON.stringify(entry);
    for (let number = from; ; number += 1) {
      const { outcome } = await this.#store.create(this.#uri(number), body, 'application/json');
      // `exists` may be the echo of our own write; a second entry of one batch is harmless.
      if (outcome === 'created') return number;
    }
  }

  /** The entry of a number; undefined while there is none. */
  async read(number: number): Promise<StreamEntry | undefined> {
    const bytes = await this.#store.readIfExists(this.#uri(number));
    return bytes && (JSON.parse(bytes.toString('utf8')) as StreamEntry);
  }

  /** The least number that has an entry, and the one behind the greatest. Of an empty log both are 1. */
  async bounds(): Promise<{ first: number; next: number }> {
    let first: number | undefined;
    let last = 0;
    for await (const { name } of this.#store.list(`${this.#folder}/`)) {
      last = Number(/(\d+)\.json$/.exec(name)?.[1] ?? last);
      first ??= last;
    }
    return { first: first ?? 1, next: last + 1 };
  }

  /** Batches that somebody may still follow: those of all entries that are not over. */
  async batchIds(): Promise<Set<string>> {
    const found = new Set<string>();
    for await (const { uri } of this.#store.list(`${this.#folder}/`)) {
      // Read after the listing: one that has been removed meanwhile is known to be settled.
      const bytes = await this.#store.readIfExists(uri);
      const entry = bytes && (JSON.parse(bytes.toString('utf8')) as StreamEntry);
      if (entry && !entry.over) found.add(entry.batchId);
    }
    return found;
  }

  /** Removes an entry that is over. The newest one stays, since the next number is told by it: see {@link close}. */
  async remove(number: number): Promise<void> {
    await this.#store.delete(this.#uri(number));
  }

  /** Says of an entry that it is over. One that is gone is no error. */
  async close(number: number): Promise<void> {
    const uri = this.#uri(number);
    const found = await this.#store.readWithGeneration(uri);
    if (!found) return;
    const entry = JSON.parse(found.bytes.toString('utf8')) as StreamEntry;
    if (entry.over) return;
    const body = Buffer.from(JSON.stringify({ ...entry, over: true } satisfies StreamEntry));
    await this.#store.replace(uri, body, found.generation, 'application/json'); // a conflict: it was done already
  }
}
