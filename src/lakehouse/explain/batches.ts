import pLimit from 'p-limit';
import { bucketOf, tableName } from '../../contracts/index.ts';
import type { CompiledContract, Row } from '../../contracts/index.ts';
import { decodeParquetRows } from '../append-log/parquet-rows.ts';
import { listFeed } from '../bronze/index.ts';
import type { ChunkObject, DeltaStore, Manifest } from '../deltas/index.ts';
import type { Ledger, LedgerState } from '../ledger/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { heldBy, isListing } from './held-objects.ts';
import { StreamLog } from '../streams/index.ts';

/** What became of a record after it landed, as batches and their outcomes say. */
export type Processing =
  | {
      /** A batch that holds it is settled. */
      state: 'settled';
      batchId: string;
      /** `unchanged`: the table held all of the batch already. */
      outcome: 'committed' | 'unchanged';
      /** Snapshot of the batch; null where it made none. */
      snapshotId: string | null;
      /** Hash of the contract that processed it. */
      contract: string;
    }
  | {
      /** A batch that holds it is published and waits for the committer. */
      state: 'waiting';
      batchId: string;
      contract: string;
    }
  | {
      /** The newest run over its partition failed. */
      state: 'failed';
      code: string;
    }
  /** It is, or was, the row of Silver, and no batch names it: a stream brought it, or a batch of another listing. */
  | { state: 'committed' }
  | {
      /** No batch has taken it. */
      state: 'landed';
      /** Whether the source has ever been streamed: a stream names no objects, so it may have taken the record. */
      streamed: boolean;
      /**
       * Of what a stream may have taken: batches of streams that were settled up to this day (`YYYY-MM-DD`, UTC) are swept, and the
       * record may have been in one. Absent: it is younger, or none was ever swept.
       */
      sweptThrough?: string;
    }
  /** Its partition was processed when it held other objects, and nobody can tell whether this was one of them. */
  | { state: 'unknown' };

/** What looking at batches works with. */
export interface BatchResources {
  store: ObjectStore;
  bronzeBucket: string;
  deltas: DeltaStore;
  ledger: Pick<Ledger, 'latest'>;
  opsBucket: string;
}

/** A batch that names a partition, as its manifest does. */
interface BatchOfPartition {
  partition: string;
  manifest: Manifest;
  fingerprint: string;
  settled: boolean;
}

/** A row of the key in a batch that nobody has committed yet. */
export interface WaitingRow {
  batchId: string;
  row: Row;
}

const AT_ONCE = 16;
const HOUR = 3_600_000;

/** What batches say about the partitions of a source. */
export class Batches {
  readonly #resources: BatchResources;
  readonly #contract: CompiledContract;
  readonly #known: ReadonlyMap<string, LedgerState>;
  readonly #manifests = new Map<string, Promise<Manifest | undefined>>();
  readonly #partitions = new Map<string, Promise<(object: string) => Promise<Processing>>>();
  /** Manifests of batches that are settled but not in the ledger, and of those that wait. */
  readonly #fresh: BatchOfPartition[];
  readonly #published: Published[];
  readonly #streamed: boolean;
  readonly #sweptThrough: string | undefined;
  #all: Promise<BatchOfPartition[]> | undefined;
  readonly waiting: readonly Manifest[];

  private constructor(
    resources: BatchResources,
    contract: CompiledContract,
    read: {
      known: ReadonlyMap<string, LedgerState>;
      fresh: ReadManifest[];
      published: Published[];
      streamed: boolean;
      sweptThrough: string | undefined;
    },
  ) {
    this.#resources = resources;
    this.#contract = contract;
    this.#known = read.known;
    this.#fresh = ofPartitions(read.fresh);
    this.#published = read.published;
    this.#streamed = read.streamed;
    this.#sweptThrough = read.sweptThrough;
    this.waiting = read.fresh.filter(({ settled }) => !settled).map(({ manifest }) => manifest);
  }

  /** Reads the ledger once, and the manifests that it does not know: the ledger may lag or be lost, manifests are the truth. */
  static async open(resources: BatchResources, contract: CompiledContract): Promise<Batches> {
    const { store, deltas, ledger, opsBucket } = resources;
    const table = tableName(contract);
    const published = await deltas.listPublished(table);
    const states = await ledger.latest(contract.source, ['partition', 'batch']);
    const told = new Set(states.filter(({ kind }) => kind === 'batch').map(({ subject }) => subject));
    const unknown = published.filter(({ batchId, settled }) => !settled || !told.has(batchId));
    const partitions = states.filter(({ kind }) => kind === 'partition');
    return new Batches(resources, contract, {
      known: new Map(partitions.map((of) => [of.subject, of])),
      fresh: await readManifests(deltas, table, unknown),
      published,
      // The newest entry of a stream's log stays for good.
      streamed: (await new StreamLog(store, opsBucket, contract.source).bounds()).next > 1,
      sweptThrough: (await deltas.listRolls(table)).at(-1)?.day,
    });
  }

  /** What became of a record of an object. */
  async processing(partition: string, object: string): Promise<Processing> {
    const judging = this.#partitions.get(partition) ?? this.#judgePartition(partition);
    this.#partitions.set(partition, judging);
    return (await judging)(object);
  }

  /** Rows of a key in batches that wait for the committer: one bucket's file of each is read. */
  async waitingRows(key: string): Promise<WaitingRow[]> {
    const [column = ''] = this.#contract.key;
    const bucket = bucketOf(key, this.#contract.sink.bucketCount);
    const found: WaitingRow[] = [];
    for (const { batchId, files } of this.waiting) {
      for (const { uri } of files.filter((file) => file.bucket === bucket)) {
        const rows = await decodeParquetRows(this.#contract, await this.#resources.store.read(uri));
        found.push(...rows.filter((row) => row[column] === key).map((row) => ({ batchId, row })));
      }
    }
    return found;
  }

  /** No batch names the record; a batch of a stream that held it was settled on the day of its hour or later. */
  #landed(partition: string): Processing {
    const day = partition.slice(partition.lastIndexOf('/') + 1).slice(0, 10);
    const sweptThrough = this.#sweptThrough;
    if (sweptThrough === undefined || day > sweptThrough) return { state: 'landed', streamed: this.#streamed };
    return { state: 'landed', streamed: true, sweptThrough };
  }

  async #judgePartition(partition: string): Promise<(object: string) => Promise<Processing>> {
    const known = this.#known.get(partition);
    const otherwise: Processing =
      known?.state === 'failed' ? { state: 'failed', code: String(known.detail.code) } : this.#landed(partition);
    const batches = await this.#batchesOf(partition);
    if (!batches.length) return () => Promise.resolve(otherwise);
    const listing = await this.#listing(partition);
    const whole = batches.every((batch) => isListing(batch, listing));
    const ordered = whole ? listing : await this.#byLanding(listing);
    const held = batches.map((batch) => ({ batch, objects: heldBy(batch, ordered) }));
    return (object) => this.#processingOf(held, object, otherwise);
  }

  async #processingOf(
    held: { batch: BatchOfPartition; objects: ReadonlySet<string> | undefined }[],
    object: string,
    otherwise: Processing,
  ): Promise<Processing> {
    const holding = held.filter(({ objects }) => objects?.has(object)).map(({ batch }) => batch);
    // One of the present contract says more than one of another, and a settled one more than one that waits.
    const rank = ({ manifest, settled }: BatchOfPartition): number =>
      (manifest.contractHash === this.#contract.hash ? 2 : 0) + (settled ? 1 : 0);
    const [best] = holding.sort((a, b) => rank(b) - rank(a));
    if (!best) return held.some(({ objects }) => !objects) ? { state: 'unknown' } : otherwise;
    const { batchId, contractHash: contract } = best.manifest;
    const done = await this.#resources.deltas.readDone(tableName(this.#contract), batchId);
    if (!done) return { state: 'waiting', batchId, contract };
    return { state: 'settled', batchId, outcome: done.outcome, snapshotId: done.snapshotId, contract };
  }

  /**
   * Batches that say that they hold the partition: the newest one that the ledger knows, and those that it does not know. Where the
   * newest run failed the ledger says nothing of those before it, so all manifests are read.
   */
  async #batchesOf(partition: string): Promise<BatchOfPartition[]> {
    const known = this.#known.get(partition);
    if (known?.state === 'failed') return (await this.#readAll()).filter((of) => of.partition === partition);
    const batchId = known?.state === 'done' ? known.detail.batchId : undefined;
    const manifest = typeof batchId === 'string' ? await this.#manifest(batchId) : undefined;
    const told = manifest && known ? [{ partition, manifest, fingerprint: known.fingerprint, settled: true }] : [];
    return [...told, ...this.#fresh.filter((of) => of.partition === partition)];
  }

  #readAll(): Promise<BatchOfPartition[]> {
    const { deltas } = this.#resources;
    this.#all ??= readManifests(deltas, tableName(this.#contract), this.#published).then(ofPartitions);
    return this.#all;
  }

  #manifest(batchId: string): Promise<Manifest | undefined> {
    const reading =
      this.#manifests.get(batchId) ?? this.#resources.deltas.readManifest(tableName(this.#contract), batchId);
    this.#manifests.set(batchId, reading);
    return reading;
  }

  async #listing(partition: string): Promise<ChunkObject[]> {
    const { store, bronzeBucket } = this.#resources;
    const at = partition.lastIndexOf('/');
    const from = new Date(`${partition.slice(at + 1)}:00:00Z`);
    const range = { from, to: new Date(from.getTime() + HOUR) };
    const feed = partition.slice(0, at);
    const listed = await listFeed(store, bronzeBucket, this.#contract.source, feed, range);
    return listed.filter((object) => object.partition === partition);
  }

  /** The first landed first. */
  async #byLanding(listing: ChunkObject[]): Promise<ChunkObject[]> {
    const { store, bronzeBucket } = this.#resources;
    const created = new Map<string, string>();
    const folders = new Set(listing.map(({ name }) => name.slice(0, name.lastIndexOf('/') + 1)));
    for (const folder of folders)
      for await (const object of store.list(`gs://${bronzeBucket}/${folder}`)) created.set(object.name, object.created);
    const time = ({ name }: ChunkObject): string => created.get(name) ?? '';
    return [...listing].sort((a, b) => (time(a) < time(b) ? -1 : time(a) > time(b) ? 1 : 0));
  }
}

/** A batch whose manifest is there. */
type Published = Awaited<ReturnType<DeltaStore['listPublished']>>[number];

type ReadManifest = { manifest: Manifest; settled: boolean };

async function readManifests(deltas: DeltaStore, table: string, published: Published[]): Promise<ReadManifest[]> {
  const limit = pLimit(AT_ONCE);
  const reading = published.map(({ batchId, settled }) =>
    limit(async () => {
      const manifest = await deltas.readManifest(table, batchId);
      return manifest ? [{ manifest, settled }] : [];
    }),
  );
  return (await Promise.all(reading)).flat();
}

const ofPartitions = (read: ReadManifest[]): BatchOfPartition[] =>
  read.flatMap(({ manifest, settled }) =>
    manifest.byPartition.map(({ partition, fingerprint: of }) => ({ partition, manifest, fingerprint: of, settled })),
  );
