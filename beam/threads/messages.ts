import type { ChunkObject, DeltaFile } from '../../src/lakehouse/deltas/index.ts';

/** What a thread of the job is asked. Each answer carries the id of its question. */
export type Question =
  | { op: 'parse'; bundle: string; object: ChunkObject }
  | { op: 'flush'; bundle: string }
  | { op: 'merge'; bucket: number; blocks: string[] };

/** A block of reduced rows of one bucket, staged in Cloud Storage: only this crosses the runner. */
export interface BlockReference {
  bucket: number;
  uri: string;
}

/** Counts of a bundle. */
export interface ParseCounts {
  recordsIn: number;
  quarantined: number;
  quarantine: Record<string, number>;
  byPartition: Record<string, { recordsIn: number; quarantined: number }>;
}

/** Answers by question. */
export interface Answers {
  parse: null;
  flush: { blocks: BlockReference[]; counts: ParseCounts };
  merge: DeltaFile;
}

/** What every thread of a job needs to know. */
export interface JobParameters {
  /** `gs://…/chunks/<batch id>.json` */
  chunk: string;
  /** `gs://…/contracts/<source>/<hash>.json` */
  contract: string;
  /** Folder of this attempt's staged blocks. */
  stage: string;
}

/** What reaches the manifest: a bucket's delta, or the counts of a bundle. */
export type ManifestPart = { file: DeltaFile } | { counts: ParseCounts };
