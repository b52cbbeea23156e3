import type { DifferenceKind } from '../lakehouse/parity/types.ts';
import type { Range } from './range.ts';

/** What is to be compared. */
export interface ParityInput {
  source: string;
  /** Hours of Bronze to compute again, both or none. Default: all of Bronze. */
  from?: string;
  to?: string;
  /** Seconds that Silver and the archive are given to get what the other has. Default: 600 while a stream of the source runs, else none. */
  patienceSeconds?: number;
}

/** What a comparison of a table with Bronze found. */
export interface ParityResult {
  source: string;
  table: string;
  /** The shadow table; it is gone. */
  shadow: string;
  contractHash: string;
  /** Null: all of Bronze. */
  range: Range | null;
  /** Newest snapshot that was compared; null: the table holds nothing, or is a log. */
  silverSnapshotId: string | null;
  /** Objects of Bronze that were computed again. */
  objects: number;
  /** Objects that validation refused. */
  refusedObjects: number;
  batches: number;
  /** Partitions that could not be computed again, the first fifty: nothing is proved of them. */
  failed: { partition: string; code: string }[];
  /** Batches of the table that were published and not settled when it was compared. */
  unsettled: number;
  /** Times that was looked. */
  rounds: number;
  keys: number;
  counts: Partial<Record<DifferenceKind, number>>;
  differences: number;
  /** NDJSON of the first thousand differences; null: there is none. */
  reportUri: string | null;
  /** Every key is equal, and every partition was computed. */
  equal: boolean;
}
