import type { Row } from '../../src/contracts/index.ts';
import type { Counts, PartitionCounts } from './messages.ts';

/** Counts of nothing. */
export function noCounts(): Counts {
  return { quarantine: {}, byPartition: {}, unreadable: {} };
}

/** The counts of one partition, made where there are none. */
export function countsOf(counts: Counts, partition: string): PartitionCounts {
  return (counts.byPartition[partition] ??= { recordsIn: 0, quarantined: 0, reduced: 0, rows: 0 });
}

/** What a row of a block has beside its columns: the partition that its record was read for. */
export const PARTITION = ' partition';

/** Partition that a row's record came from. */
export const partitionOfRow = (row: Row): string => String(row[PARTITION]);

/** Counts of several bundles and buckets together. */
export function addUp(all: Counts[]): Counts {
  const sum = noCounts();
  for (const counts of all) {
    for (const [reason, count] of Object.entries(counts.quarantine))
      sum.quarantine[reason] = (sum.quarantine[reason] ?? 0) + count;
    for (const [partition, of] of Object.entries(counts.byPartition)) {
      const into = countsOf(sum, partition);
      into.recordsIn += of.recordsIn;
      into.quarantined += of.quarantined;
      into.reduced += of.reduced;
      into.rows += of.rows;
    }
    Object.assign(sum.unreadable, counts.unreadable);
  }
  return sum;
}
