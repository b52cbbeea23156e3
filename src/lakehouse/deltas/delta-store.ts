import { randomUUID } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ObjectStore, StoredObject } from '../object-store.ts';
import { groupId } from './ids.ts';
import type { Chunk, Done, Group, Manifest, Roll, RolledBatch } from './types.ts';

/** Of a name below a table's folder: the batch that it belongs to. */
const OF_BATCH = /^([0-9a-f]{64})(\.done\.json|\.json|\/.+\.parquet)$/;

/** Groups that are kept in mind: some tables' last commits. */
const GROUPS_KEPT = 256;

/** What a listing shows of a batch. */
export interface ListedBatch {
  batchId: string;
  /** Absent: it is not published, or was swept. */
  manifest?: StoredObject;
  /** Absent: it is not settled. */
  done?: StoredObject;
  /** Its delta files, also those that lost. */
  files: StoredObject[];
}

/** Chunks, delta files, manifests and their outcomes, all in the ops bucket (docs/deltas-and-committer.md). */
export class DeltaStore {
  readonly #store: ObjectStore;
  readonly #root: string;
  /** Read last; a group never changes, and each commit of a table looks at those of the last ones. */
  readonly #groups = new Map<string, Group>();

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
    const uri = this.#groupUri(table, groupId);
    const group = this.#groups.get(uri) ?? (await this.#read<Group>(uri));
    if (group) this.#keepGroup(uri, group);
    return group;
  }

  /**
   * Every batch of a table of which anything is there, in order of id, with all that a listing shows of it: one batch is held at a time.
   */
  async *listBatches(table: string): AsyncGenerator<ListedBatch> {
    const prefix = `${this.#root}/_deltas/${table}/`;
    let batch: ListedBatch | undefined;
    for await (const object of this.#store.list(prefix)) {
      const [, batchId, rest] = OF_BATCH.exec(object.uri.slice(prefix.length)) ?? [];
      if (!batchId) continue;
      // Names of one batch follow each other: outcome, manifest, files.
      if (batch && batch.batchId !== batchId) yield batch;
      if (batch?.batchId !== batchId) batch = { batchId, files: [] };
      if (rest === '.done.json') batch.done = object;
      else if (rest === '.json') batch.manifest = object;
      else batch.files.push(object);
    }
    if (batch) yield batch;
  }

  /** Settled batches of a table and when each was settled, the first settled first. */
  async listSettled(table: string): Promise<{ batchId: string; at: Date }[]> {
    const settled: { batchId: string; at: Date }[] = [];
    for await (const { batchId, done } of this.listBatches(table))
      if (done) settled.push({ batchId, at: new Date(done.updated) });
    return settled.sort((a, b) => a.at.getTime() - b.at.getTime());
  }

  /** Published batches of a table that are not settled, and when each was published, the first published first. */
  async listWaiting(table: string): Promise<{ batchId: string; at: Date }[]> {
    const waiting: { batchId: string; at: Date }[] = [];
    for await (const { batchId, manifest, done } of this.listBatches(table))
      if (manifest && !done) waiting.push({ batchId, at: new Date(manifest.updated) });
    return waiting.sort((a, b) => a.at.getTime() - b.at.getTime());
  }

  /** Batches of a table whose manifest is there, in order of id, and whether each is settled. */
  async listPublished(table: string): Promise<{ batchId: string; settled: boolean }[]> {
    const published: { batchId: string; settled: boolean }[] = [];
    for await (const { batchId, manifest, done } of this.listBatches(table))
      if (manifest) published.push({ batchId, settled: done !== undefined });
    return published;
  }

  /**
   * Keeps for good what the ledger tells of batches that are about to be swept. Batches that are there already stay as they are.
   *
   * @param day `YYYY-MM-DD`, UTC: when they were settled
   */
  async writeRoll(table: string, day: string, batches: readonly RolledBatch[]): Promise<void> {
    const uri = `${this.#rollsUri(table)}${day}/${groupId(batches.map(({ done }) => done.batchId))}.ndjson.gz`;
    const lines = batches.map((batch) => `${JSON.stringify(batch)}\n`).join('');
    await this.#store.create(uri, gzipSync(lines), 'application/gzip');
  }

  /** Rolls of a table, or of one day, the oldest day first. */
  async listRolls(table: string, day?: string): Promise<Roll[]> {
    const prefix = this.#rollsUri(table);
    const rolls: Roll[] = [];
    for await (const { uri } of this.#store.list(day === undefined ? prefix : `${prefix}${day}/`))
      rolls.push({ uri, day: uri.slice(prefix.length).split('/', 1)[0] ?? '' });
    return rolls;
  }

  /** @throws CupelError CUP_OBJECT_NOT_FOUND */
  async readRoll({ uri }: Roll): Promise<RolledBatch[]> {
    const lines = gunzipSync(await this.#store.read(uri))
      .toString('utf8')
      .split('\n');
    return lines.filter(Boolean).map((line) => JSON.parse(line) as RolledBatch);
  }

  /** Forgets which batches a snapshot held that nobody keeps. */
  async deleteGroup(table: string, groupId: string): Promise<void> {
    const uri = this.#groupUri(table, groupId);
    await this.#store.delete(uri);
    this.#groups.delete(uri);
  }

  #keepGroup(uri: string, group: Group): void {
    this.#groups.delete(uri);
    this.#groups.set(uri, group);
    const [oldest] = this.#groups.keys();
    if (this.#groups.size > GROUPS_KEPT && oldest !== undefined) this.#groups.delete(oldest);
  }

  #rollsUri(table: string): string {
    return `${this.#root}/_deltas/${table}/streamed/`;
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
