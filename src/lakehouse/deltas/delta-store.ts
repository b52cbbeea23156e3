import { randomUUID } from 'node:crypto';
import type { ObjectStore } from '../object-store.ts';
import type { Chunk, Done, Group, Manifest } from './types.ts';

const PUBLISHED = /^([0-9a-f]{64})(\.done)?\.json$/;
const DONE = /^([0-9a-f]{64})\.done\.json$/;
const MANIFEST = /^([0-9a-f]{64})\.json$/;

/** Chunks, delta files, manifests and their outcomes, all in the ops bucket (docs/deltas-and-committer.md). */
export class DeltaStore {
  readonly #store: ObjectStore;
  readonly #root: string;

  /** @param bucket the ops bucket */
  constructor(store: ObjectStore, bucket: string) {
    this.#store = store;
    this.#root = `gs://${bucket}`;
  }

  /** URI of a chunk, for the parameters of a job. */
  chunkUri(batchId: string): string {
    return `${this.#root}/chunks/${batchId}.json`;
  }

  /** A new URI for a delta file: each attempt has its own, so that a zombie can never overwrite. */
  newDeltaUri(table: string, batchId: string): string {
    return `${this.#root}/_deltas/${table}/${batchId}/${randomUUID()}.parquet`;
  }

  /** Folder for the blocks that one attempt of a job stages. */
  stageUri(batchId: string, attempt: string): string {
    return `${this.#root}/stage/${batchId}/${attempt}`;
  }

  async writeChunk(chunk: Chunk): Promise<void> {
    await this.#write(this.chunkUri(chunk.batchId), chunk);
  }

  async readChunk(uri: string): Promise<Chunk> {
    return JSON.parse((await this.#store.read(uri)).toString('utf8')) as Chunk;
  }

  /**
   * Fixes what a chunk that pulls consists of. The first list stays and is returned: whatever attempt comes later processes the
   * same objects, whatever lands meanwhile.
   */
  async fixLanded(landed: Chunk): Promise<Chunk> {
    const outcome = await this.#write(this.#landedUri(landed.batchId), landed);
    return outcome === 'created' ? landed : ((await this.readLanded(landed.batchId)) ?? landed);
  }

  /** A chunk that pulls, with the objects that have landed; undefined before that. */
  async readLanded(batchId: string): Promise<Chunk | undefined> {
    return this.#read<Chunk>(this.#landedUri(batchId));
  }

  /** Publishes a batch. `exists`: another attempt was first, and its files count; ours are orphans. */
  async writeManifest(manifest: Manifest): Promise<'created' | 'exists'> {
    return this.#write(this.#manifestUri(manifest.table, manifest.batchId), manifest);
  }

  async readManifest(table: string, batchId: string): Promise<Manifest | undefined> {
    return this.#read<Manifest>(this.#manifestUri(table, batchId));
  }

  /** Says how a batch ended. The first answer stays. */
  async writeDone(table: string, done: Done): Promise<void> {
    await this.#write(this.#doneUri(table, done.batchId), done);
  }

  async readDone(table: string, batchId: string): Promise<Done | undefined> {
    return this.#read<Done>(this.#doneUri(table, batchId));
  }

  /** Remembers which batches a snapshot holds. */
  async writeGroup(group: Group): Promise<void> {
    await this.#write(this.#groupUri(group.table, group.groupId), group);
  }

  async readGroup(table: string, groupId: string): Promise<Group | undefined> {
    return this.#read<Group>(this.#groupUri(table, groupId));
  }

  /** Settled batches of a table and when each was settled, the first settled first. */
  async listSettled(table: string): Promise<{ batchId: string; at: Date }[]> {
    return (await this.#listBatches(table)).settled;
  }

  /** Published batches of a table that are not settled, and when each was published, the first published first. */
  async listWaiting(table: string): Promise<{ batchId: string; at: Date }[]> {
    const { published, settled } = await this.#listBatches(table);
    const done = new Set(settled.map(({ batchId }) => batchId));
    return published.filter(({ batchId }) => !done.has(batchId));
  }

  async #listBatches(table: string): Promise<Record<'published' | 'settled', { batchId: string; at: Date }[]>> {
    const prefix = `${this.#root}/_deltas/${table}/`;
    const found: Record<'published' | 'settled', { batchId: string; at: Date }[]> = { published: [], settled: [] };
    for await (const { uri, updated } of this.#store.list(prefix)) {
      const name = uri.slice(prefix.length);
      const done = DONE.exec(name)?.[1];
      const batchId = done ?? MANIFEST.exec(name)?.[1];
      if (batchId) found[done ? 'settled' : 'published'].push({ batchId, at: new Date(updated) });
    }
    for (const batches of Object.values(found)) batches.sort((a, b) => a.at.getTime() - b.at.getTime());
    return found;
  }

  /** Batches of a table whose manifest is there, in order of id, and whether each is settled. */
  async listPublished(table: string): Promise<{ batchId: string; settled: boolean }[]> {
    const prefix = `${this.#root}/_deltas/${table}/`;
    const settled = new Set<string>();
    const published: string[] = [];
    for await (const object of this.#store.list(prefix)) {
      const [, batchId, done] = PUBLISHED.exec(object.uri.slice(prefix.length)) ?? [];
      if (!batchId) continue;
      if (done) settled.add(batchId);
      else published.push(batchId);
    }
    return published.map((batchId) => ({ batchId, settled: settled.has(batchId) }));
  }

  #landedUri(batchId: string): string {
    return `${this.#root}/chunks/${batchId}.landed.json`;
  }

  #manifestUri(table: string, batchId: string): string {
    return `${this.#root}/_deltas/${table}/${batchId}.json`;
  }

  #doneUri(table: string, batchId: string): string {
    return `${this.#root}/_deltas/${table}/${batchId}.done.json`;
  }

  #groupUri(table: string, groupId: string): string {
    return `${this.#root}/_deltas/${table}/groups/${groupId}.json`;
  }

  async #write(uri: string, value: object): Promise<'created' | 'exists'> {
    const { outcome } = await this.#store.create(uri, JSON.stringify(value), 'application/json');
    return outcome;
  }

  async #read<T>(uri: string): Promise<T | undefined> {
    const bytes = await this.#store.readIfExists(uri);
    return bytes && (JSON.parse(bytes.toString('utf8')) as T);
  }
}
