import type { Row } from '../../src/contracts/index.ts';
import type { Counts, PartitionCounts, UnknownCounts } from './messages.ts';

/** Counts of nothing. */
export function noCounts(): Counts {
  return { quarantine: {}, byPartition: {}, unreadable: {}, unknown: {} };
}

/** The counts of one partition, made where there are none. */
export function countsOf(counts: Counts, partition: string): PartitionCounts {
  return (counts.byPartition[partition] ??= { recordsIn: 0, quarantined: 0, reduced: 0, rows: 0 });
}

const union = <T>(a: readonly T[], b: readonly T[]): T[] => [...new Set([...a, ...b])].sort();

/** Adds what records of a partition have that the contract does not know. */
export function addUnknown({ unknown }: Counts, { path, records, kinds, partitions }: UnknownCounts): void {
  const name = path.join('.');
  const of = (unknown[name] ??= { path, records: 0, kinds: [], partitions: [] });
  of.records += records;
  if (kinds.some((kind) => !of.kinds.includes(kind))) of.kinds = union(of.kinds, kinds);
  if (partitions.some((partition) => !of.partitions.includes(partition)))
    of.partitions = union(of.partitions, partitions);
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
    for (const of of Object.values(counts.unknown)) addUnknown(sum, of);
  }
  return sum;
}
