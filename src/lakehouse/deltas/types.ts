import type { SeenField } from '../../contracts/index.ts';
import type { PullWindow } from '../pull/index.ts';

/** One object of Bronze in a chunk. */
export interface ChunkObject {
  /** Name in the Bronze bucket. */
  name: string;
  generation: string;
  bytes: number;
  /** `<feed>/YYYY-MM-DDTHH`. */
  partition: string;
  /**
   * Of an archived object, which holds messages of more than one hour: those that belong to the partition. `own`: all but
   * those of the hour before; `before`: those of the hour before. Default: all.
   */
  part?: 'own' | 'before';
}

/** Messages of a streamed batch. */
export interface StreamedSpan {
  messages: number;
  /** RFC 3339: least and greatest time of publishing. */
  oldest: string;
  newest: string;
  /** Least hour of Bronze that holds any of them, or will: `YYYY-MM-DDTHH`. */
  fromHour: string;
}

/** What one job processes; stored as `chunks/<batchId>.json` in the ops bucket. */
export interface Chunk {
  batchId: string;
  source: string;
  table: string;
  contractHash: string;
  rulesVersion: number;
  fingerprint: string;
  /** Partitions as they were listed, objects included that validation refused: with these fingerprints they are done. */
  partitions: { partition: string; fingerprint: string }[];
  objects: ChunkObject[];
  /** Objects of its partitions that validation refused. Default: none. */
  refused?: ChunkObject[];
  /** The run that processes anew what is done already. Default: what is done stays done. */
  again?: string;
  /** Windows that the job pulls itself, a partition each: its objects are known once they have landed. Default: none. */
  pull?: PullWindow[];
  /** Its records are messages of a subscription, which no partition of Bronze holds whole. Default: they are objects of Bronze. */
  stream?: StreamedSpan;
}

/** One Parquet file of a batch: rows of one bucket, one per key. */
export interface DeltaFile {
  uri: string;
  bucket: number;
  rows: number;
  bytes: number;
}

/** What became of the records of a partition. */
export interface PartitionOutcome {
  partition: string;
  fingerprint: string;
  recordsIn: number;
  quarantined: number;
  reduced: number;
  /** Rows of the deltas whose record came from this partition. */
  rows: number;
}

/** What a failed job says: which partitions it failed for, the others being well, or which fields its contract has to take up. */
export interface FailureReport {
  batchId: string;
  failed: { partition: string; code: string }[];
  /** Members of records that the contract does not know and is to take up. Default: none, it is the partitions. */
  newFields?: SeenField[];
}

/** What a batch publishes, last and create-only: the files that count. Files that no manifest names are orphans. */
export interface Manifest {
  version: 1;
  batchId: string;
  table: string;
  source: string;
  contractHash: string;
  rulesVersion: number;
  fingerprint: string;
  files: DeltaFile[];
  recordsIn: number;
  quarantined: number;
  /** Records that another record of the batch replaced, counted where it happened. */
  reduced: number;
  rows: number;
  quarantine: { reasonCode: string; count: number }[];
  /** Members that the contract does not know, by path, with the number of records that have each. Default: there were none. */
  unknownFields?: { field: string; records: number }[];
  /** For each, `recordsIn = quarantined + reduced + rows`: a job that cannot say so publishes nothing. None of a stream. */
  byPartition: PartitionOutcome[];
  /** Of a streamed batch: the messages that it holds. */
  stream?: StreamedSpan;
}

/** How a batch ended; stored beside the manifest, create-only, and outlives snapshots. */
export interface Done {
  version: 1;
  batchId: string;
  /** `unchanged`: the table held all of it already, so nothing was committed. */
  outcome: 'committed' | 'unchanged';
  /** Decimal digits: 63 bits. */
  snapshotId: string | null;
  groupId: string | null;
  fingerprint: string;
  /** Rows of the batch. */
  rows: number;
  /** Bytes of the batch's delta files. */
  bytes: number;
  /** Bytes that the group wrote to the table; divided by delta bytes it is the write amplification. */
  groupBytesWritten: number;
}

/** Batches that were committed together. */
export interface Group {
  groupId: string;
  table: string;
  batchIds: string[];
}

/**
 * What stays of a streamed batch once its own objects are swept: all that the ledger tells of it. A line of its day's roll.
 */
export interface RolledBatch {
  /** When it was settled, RFC 3339. */
  at: string;
  /** Without its files: they are gone. */
  manifest: Omit<Manifest, 'files'>;
  done: Done;
}

/** Streamed batches that were settled on one day and swept: `_deltas/<table>/streamed/<day>/<name>.ndjson.gz`, create-only. */
export interface Roll {
  uri: string;
  /** `YYYY-MM-DD`, UTC. */
  day: string;
}
