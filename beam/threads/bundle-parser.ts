import { randomUUID } from 'node:crypto';
import { bucketOf, Reducer } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { CupelError } from '../../src/errors.ts';
import type { ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { quarantineRecord } from '../sinks/quarantine.ts';
import type { RefusedRecord } from '../sinks/quarantine.ts';
import { objectReader } from '../sources/bronze-object.ts';
import type { RecordSink } from '../sources/bronze-object.ts';
import { messageReader, STREAM_PARTITION } from '../sources/message-block.ts';
import type { MessageBlock, RefusedMessage } from '../sources/message-block.ts';
import { encodeBlock } from './blocks.ts';
import { addUnknown, countsOf, noCounts, PARTITION, partitionOfRow } from './counts.ts';
import { keepBlock } from './kept-block.ts';
import type { BlockReference, Counts, SourceElement } from './messages.ts';

/** Keys held before blocks are made of them: some 100 MB of rows. More blocks are harmless, since the merge reduces again. */
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

/** Reads objects, keeps one row per key, and makes blocks of the rows by bucket. */
export class BundleParser {
  readonly #context: BundleContext;
  readonly #read: ReturnType<typeof objectReader>;
  readonly #readMessage: ReturnType<typeof messageReader>;
  #reducer: Reducer;
  readonly #blocks: BlockReference[] = [];
  readonly #counts: Counts = noCounts();

  constructor(context: BundleContext) {
    this.#context = context;
    this.#read = objectReader(context.contract);
    this.#readMessage = messageReader(context.contract);
    this.#reducer = this.#newReducer();
  }

  /** An object that is gone or that nobody can read is counted, so that the job can name all such partitions at once. */
  async parse(element: SourceElement): Promise<void> {
    if ('messages' in element) return this.#parseMessages(element);
    if ('staged' in element) return this.#parseStaged(element.staged);
    await this.#parseWhole(element);
  }

  async #parseWhole(object: ChunkObject): Promise<void> {
    try {
      await this.#parse(object);
    } catch (error) {
      if (!(error instanceof CupelError) || error.retryable) throw error;
      this.#counts.unreadable[object.partition] = error.code;
    }
  }

  async #parse(object: ChunkObject): Promise<void> {
    const bytes = await this.#context.store.read(`gs://${this.#context.bronze}/${object.name}`);
    const refused: RefusedRecord[] = [];
    const { partition } = object;
    const records = await this.#read(bytes, object, this.#sink(partition, refused));
    for (const record of refused) await this.#quarantine(partition, record);
    await this.#parsed(partition, records, refused);
  }

  async #parseStaged(uris: string[]): Promise<void> {
    for (const bytes of await Promise.all(uris.map((uri) => this.#context.store.read(uri))))
      await this.#parseMessages(JSON.parse(bytes.toString('utf8')) as MessageBlock);
  }

  async #parseMessages({ messages }: MessageBlock): Promise<void> {
    const refused: RefusedMessage[] = [];
    const sink = this.#sink(STREAM_PARTITION, refused);
    for (const message of messages) this.#readMessage(message, { ...sink, refused: (record) => refused.push(record) });
    for (const { partition, ...record } of refused) await this.#quarantine(partition, record);
    await this.#parsed(STREAM_PARTITION, messages.length, refused);
  }

  #sink(partition: string, refused: RefusedRecord[]): RecordSink {
    return {
      row: (row, raw) => {
        row[PARTITION] = partition;
        this.#reducer.add(row, raw);
      },
      refused: (record) => refused.push(record),
      unknown: ({ path, kind }) =>
        addUnknown(this.#counts, { path, records: 1, kinds: [kind], partitions: [partition] }),
    };
  }

  async #parsed(partition: string, records: number, refused: RefusedRecord[]): Promise<void> {
    this.#count(partition, records, refused);
    if (this.#reducer.size >= MAX_KEYS) await this.#makeBlocks();
  }

  /** Makes blocks of what is left, and tells all blocks and counts. */
  async finish(): Promise<{ blocks: BlockReference[]; counts: Counts }> {
    await this.#makeBlocks();
    return { blocks: this.#blocks, counts: this.#counts };
  }

  async #quarantine(partition: string, record: RefusedRecord): Promise<void> {
    const { store, quarantine, contract, batchId } = this.#context;
    if (contract.shadowOf) return; // a comparison: whoever processes the record keeps it
    await quarantineRecord(store, quarantine, contract, { batchId, partition }, record);
  }

  #count(partition: string, records: number, refused: RefusedRecord[]): void {
    const of = countsOf(this.#counts, partition);
    of.recordsIn += records;
    of.quarantined += refused.length;
    const { quarantine } = this.#counts;
    for (const { reasonCode } of refused) quarantine[reasonCode] = (quarantine[reasonCode] ?? 0) + 1;
  }

  #newReducer(): Reducer {
    return new Reducer(this.#context.contract, (row) => (countsOf(this.#counts, partitionOfRow(row)).reduced += 1));
  }

  async #makeBlocks(): Promise<void> {
    const { contract, store, stage } = this.#context;
    // Another reducer at once: objects go on being parsed while these rows are on their way.
    const rows = this.#reducer.drain();
    this.#reducer = this.#newReducer();
    const key = contract.key[0] ?? '';
    const buckets = Map.groupBy(rows, (row) => bucketOf(String(row[key]), contract.sink.bucketCount));
    await Promise.all(
      [...buckets].map(async ([bucket, members]) => {
        const uri = `${stage}/b${bucket}-${randomUUID()}.block`;
        this.#blocks.push({ bucket, block: await keepBlock(store, uri, encodeBlock(members)) });
      }),
    );
  }
}
