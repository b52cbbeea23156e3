export { DeltaStore } from './delta-store.ts';
export type { ListedBatch } from './delta-store.ts';
export { encodeDelta, encodeParquet } from './encode-delta.ts';
export { batchId, fingerprint, groupId } from './ids.ts';
export type {
  Chunk,
  ChunkObject,
  DeltaFile,
  Done,
  FailureReport,
  Group,
  Manifest,
  PartitionOutcome,
  Roll,
  RolledBatch,
  StreamedSpan,
} from './types.ts';
export { chunkOfReport } from './report-name.ts';
