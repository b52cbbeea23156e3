import type { CompiledContract } from '../contracts/index.ts';
import { contractUri, readContract } from './contract-store.ts';
import type { ObjectStore } from './object-store.ts';
import { readPublication } from './published-contract.ts';

/** How long the contract of a source that was in force counts as being so. */
const NEWEST_FOR_MS = 30_000;

/** Published contracts by hash: they never change, so a process reads each once. */
export class ContractCache {
  readonly #store: ObjectStore;
  readonly #opsBucket: string;
  readonly #byHash = new Map<string, Promise<CompiledContract>>();
  readonly #newest = new Map<string, { contract: CompiledContract | undefined; readAt: number }>();

  constructor(store: ObjectStore, opsBucket: string) {
    this.#store = store;
    this.#opsBucket = opsBucket;
  }

  /** @throws CupelError CUP_OBJECT_NOT_FOUND */
  async get(source: string, hash: string): Promise<CompiledContract> {
    const held = this.#byHash.get(hash);
    if (held) return held;
    const reading = readContract(this.#store, contractUri(this.#opsBucket, source, hash));
    reading.catch(() => this.#byHash.delete(hash)); // a failed read is tried again
    this.#byHash.set(hash, reading);
    return reading;
  }

  /** The contract of a source that is in force; undefined where there is none. */
  async newest(source: string, nowMs = Date.now()): Promise<CompiledContract | undefined> {
    const held = this.#newest.get(source);
    if (held?.contract && nowMs - held.readAt < NEWEST_FOR_MS) return held.contract;
    const contract = await this.#findPublished(source);
    this.#newest.set(source, { contract, readAt: nowMs });
    return contract;
  }

  async #findPublished(source: string): Promise<CompiledContract | undefined> {
    const published = await readPublication({ store: this.#store, opsBucket: this.#opsBucket }, source);
    return published && this.get(source, published.hash);
  }
}
