import type { JsonKind } from '../../src/contracts/index.ts';
import type { Chunk, ChunkObject, DeltaFile } from '../../src/lakehouse/deltas/index.ts';
import type { ListedObject } from '../sources/lanes.ts';
import type { MessageBlock, StagedMessages } from '../sources/message-block.ts';

/** What a job reads at once: an object of Bronze, or messages of a subscription, here or staged. */
export type SourceElement = ChunkObject | ListedObject | MessageBlock | StagedMessages;

/** The batch that is being made, as threads need to know it. */
export interface BatchReference {
  batchId: string;
  table: string;
  /** Folder of this attempt's staged blocks. */
  stage: string;
}

/** What a thread of the job is asked. Each answer carries the id of its question. */
export type Question =
  | { op: 'parse'; batch: BatchReference; bundle: string; element: SourceElement }
  | { op: 'flush'; bundle: string }
  | { op: 'merge'; batch: BatchReference; bucket: number; blocks: string[] };

/** A block of reduced rows of one bucket. */
export interface BlockReference {
  bucket: number;
  /** What crosses the runner: where the block was staged, or a small one itself. */
  block: string;
}

/** What became of the records of a partition: `recordsIn = quarantined + reduced + rows`, or records were lost. */
export interface PartitionCounts {
  recordsIn: number;
  quarantined: number;
  /** Records that another record of the batch replaced, counted where it happened. */
  reduced: number;
  /** Rows of the deltas whose record came from this partition. */
  rows: number;
}

/** A member of records that the contract does not know. */
export interface UnknownCounts {
  /** Names from the record's value on. */
  path: string[];
  /** Records that have it, refused ones too. */
  records: number;
  /** Kinds of its values. */
  kinds: JsonKind[];
  partitions: string[];
}

/** Counts of a bundle, or of a bucket's merge. */
export interface Counts {
  /** Refused records by reason. */
  quarantine: Record<string, number>;
  byPartition: Record<string, PartitionCounts>;
  /** Partitions with an object that nobody can read, and the code that says why. */
  unreadable: Record<string, string>;
  /** By path, its names joined by `.`. */
  unknown: Record<string, UnknownCounts>;
}

/** Answers by question. */
export interface Answers {
  parse: null;
  flush: { blocks: BlockReference[]; counts: Counts };
  merge: { file: DeltaFile; counts: Counts };
}

/** What every step of a job needs to know. */
export interface JobParameters {
  /** `gs://…/contracts/<source>/<hash>.json` */
  contract: string;
  batch: BatchReference;
  /** `gs://…/chunks/<batch id>.json`; of a streamed batch the chunk itself, since nobody else ever asks for it. */
  chunk: string | Chunk;
  /** `gs://…` where a job says which partitions it failed for. Unset: only in its error. */
  report?: string;
}

/** The same where the job goes on for ever: a batch is known when a window's messages are there, and comes with its elements. */
export type KappaParameters = Pick<JobParameters, 'contract' | 'report'> & Partial<JobParameters>;

/** What reaches the manifest: the counts of a bundle, or a bucket's delta and its counts. */
export interface ManifestPart {
  file?: DeltaFile;
  counts: Counts;
  /** Of the counts of a bundle: a name that no other part has. */
  bundle?: string;
}
