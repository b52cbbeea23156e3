import { randomUUID } from 'node:crypto';
import { bucketOf, Reducer } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import type { ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { quarantineRecord } from '../sinks/quarantine.ts';
import type { RefusedRecord } from '../sinks/quarantine.ts';
import { objectReader } from '../sources/bronze-object.ts';
import { encodeBlock } from './blocks.ts';
import type { BlockReference, ParseCounts } from './messages.ts';

/** Keys held before they are staged: some 100 MB of rows. More blocks are harmless, since the merge reduces again. */
const MAX_KEYS = 100_000;

/** What a bundle is parsed with. */
export interface BundleContext {
  contract: CompiledContract;
  store: ObjectStore;
  /** Bucket of Bronze. */
  bronze: string;
  /** Bucket of refused records. */
  quarantine: string;
  batchId: string;
  stage: string;
}

/** Reads objects, keeps one row per key, and stages the rows by bucket. */
export class BundleParser {
  readonly #context: BundleContext;
  readonly #read: ReturnType<typeof objectReader>;
  #reducer: Reducer;
  readonly #blocks: BlockReference[] = [];
  readonly #counts: ParseCounts = { recordsIn: 0, quarantined: 0, quarantine: {}, byPartition: {} };

  constructor(context: BundleContext) {
    this.#context = context;
    this.#read = objectReader(context.contract);
    this.#reducer = new Reducer(context.contract);
  }

  /** @throws CupelError CUP_OBJECT_NOT_FOUND, CUP_OBJECT_UNREADABLE */
  async parse(object: ChunkObject): Promise<void> {
    const bytes = await this.#context.store.read(`gs://${this.#context.bronze}/${object.name}`);
    const refused: RefusedRecord[] = [];
    const records = this.#read(bytes, object.name, {
      row: (row, raw) => this.#reducer.add(row, raw),
      refused: (record) => refused.push(record),
    });
    for (const record of refused) await this.#quarantine(record);
    this.#count(object.partition, records, refused);
    if (this.#reducer.size >= MAX_KEYS) await this.#stage();
  }

  /** Stages what is left and tells what was staged and counted. */
  async finish(): Promise<{ blocks: BlockReference[]; counts: ParseCounts }> {
    await this.#stage();
    return { blocks: this.#blocks, counts: this.#counts };
  }

  async #quarantine(record: RefusedRecord): Promise<void> {
    const { store, quarantine, contract, batchId } = this.#context;
    await quarantineRecord(store, quarantine, contract, batchId, record);
  }

  #count(partition: string, records: number, refused: RefusedRecord[]): void {
    const counts = this.#counts;
    const of = (counts.byPartition[partition] ??= { recordsIn: 0, quarantined: 0 });
    of.recordsIn += records;
    of.quarantined += refused.length;
    counts.recordsIn += records;
    counts.quarantined += refused.length;
    for (const { reasonCode } of refused) counts.quarantine[reasonCode] = (counts.quarantine[reasonCode] ?? 0) + 1;
  }

  async #stage(): Promise<void> {
    const { contract, store, stage } = this.#context;
    // Another reducer at once: objects go on being parsed while these rows are on their way.
    const rows = this.#reducer.drain();
    this.#reducer = new Reducer(contract);
    const key = contract.key[0] ?? '';
    const buckets = Map.groupBy(rows, (row) => bucketOf(String(row[key]), contract.sink.bucketCount));
    await Promise.all(
      [...buckets].map(async ([bucket, members]) => {
        const uri = `${stage}/b${bucket}-${randomUUID()}.block`;
        await store.create(uri, encodeBlock(members));
        this.#blocks.push({ bucket, uri });
      }),
    );
  }
}
