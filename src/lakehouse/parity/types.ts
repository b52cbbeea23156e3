import type { CompiledContract } from '../../contracts/index.ts';

/**
 * How a key differs. In Silver, against what Bronze gives:
 *
 * - `missing`: the key is not there
 * - `behind`: its row is less in the order of the Kappa law
 * - `ahead`: its row is greater than any record of Bronze makes it
 * - `unknown`: the key is there, and no record of Bronze makes it
 * - `unequal`: the same record won, and another column differs
 * - `first_version`: the same record won, and the least version ever seen differs
 * - `duplicate`: the key has more than one row
 */
export type DifferenceKind = 'missing' | 'behind' | 'ahead' | 'unknown' | 'unequal' | 'first_version' | 'duplicate';

/**
 * Which half of equality is looked at. `lost`: whether Silver holds all that the shadow does. `invented`: whether Silver holds only
 * that. Each half forgives what the other side got since.
 */
export type Half = 'lost' | 'invented';

/** A value as JSON has it: times as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, bytes in hex. */
export type JsonValue = string | number | boolean | null;

/** What wrote a row of a table. */
export interface WrittenBy {
  /** URI of the data file, or of the log's object. */
  file: string;
  /** Snapshot that added the file; null: of a log. */
  snapshotId: string | null;
  /** When that was, ISO 8601; null: the snapshot is expired. */
  at: string | null;
  /** Group of batches that the snapshot committed; null: none of ours, or it is expired. */
  groupId: string | null;
  /** Batches of the group. */
  batchIds: string[];
}

/** Where the record of a row comes from. It may differ between stream and batch, so it is never compared. */
export interface Provenance {
  recordId: string;
  bronzeObject: string;
  /** Hash. */
  contract: string;
}

/** One version of a key. */
export interface VersionOfKey {
  /** Every column that is compared. */
  row: Record<string, JsonValue>;
  provenance: Provenance;
  writtenBy: WrittenBy;
}

/** A key that differs, with both versions. */
export interface Difference {
  key: string;
  kind: DifferenceKind;
  /** Columns whose values differ; none where one version is missing. */
  columns: string[];
  /** What the table holds; null: nothing. */
  silver: VersionOfKey | null;
  /** What Bronze gives; null: nothing. */
  shadow: VersionOfKey | null;
}

/** A table or log as it is compared. */
export interface ComparedTable {
  contract: CompiledContract;
  /** Snapshot to read; null: as a table that holds nothing. Default: the newest. A log has none, and is read as it is. */
  snapshotId?: string | null;
}

/** What a comparison found. */
export interface Comparison {
  /** Keys of either side. */
  keys: number;
  /** Keys that differ, by kind. */
  counts: Partial<Record<DifferenceKind, number>>;
  /** Keys that differ. */
  total: number;
  /** Of those the ones that may differ only because one side has yet to get what the other has. */
  mayHeal: number;
  /** The first of them, in order of bucket and key. */
  differences: Difference[];
}
