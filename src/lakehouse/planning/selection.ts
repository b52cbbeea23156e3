import type { Partition } from '../bronze/index.ts';
import type { PartitionState, PlannedPartition } from './partition-states.ts';

/**
 * Which partitions a run processes. Each takes what the one before takes too: `missing` what was never processed,
 * `failed` also what failed, `stale` also what was done under other objects, contract or rules, `all` everything again.
 */
export type Reprocess = 'missing' | 'failed' | 'stale' | 'all';

/** Order of the partitions. */
export type Order = 'oldest' | 'newest';

const TAKEN: Record<Reprocess, PartitionState[]> = {
  missing: ['missing'],
  failed: ['missing', 'failed'],
  stale: ['missing', 'failed', 'stale'],
  all: ['missing', 'failed', 'stale', 'gap', 'done'],
};

/** Whether a run takes what is in a state. */
export const takes = (reprocess: Reprocess, state: PartitionState): boolean => TAKEN[reprocess].includes(state);

/** Most objects of a job: bounds the chunk that a job reads. */
const MAX_OBJECTS = 20_000;

/** Hour of a partition, `YYYY-MM-DDTHH`. */
const hourOf = (partition: string): string => partition.slice(partition.lastIndexOf('/') + 1);

/** Partitions to process, in order of hour and then of feed. */
export function selectPartitions(
  states: PlannedPartition[],
  partitions: Partition[],
  reprocess: Reprocess,
  order: Order,
): Partition[] {
  const taken = new Set(states.filter(({ state }) => takes(reprocess, state)).map(({ partition }) => partition));
  const key = ({ partition }: Partition): string => `${hourOf(partition)} ${partition}`;
  const sorted = partitions
    .filter(({ partition }) => taken.has(partition))
    .map((partition) => ({ partition, key: key(partition) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ partition }) => partition);
  return order === 'newest' ? sorted.reverse() : sorted;
}

/** Cuts partitions into chunks of at most so many bytes; a partition is never cut, so a larger one is a chunk by itself. */
export function cutChunks(partitions: Partition[], maxBytes: number, maxObjects = MAX_OBJECTS): Partition[][] {
  const chunks: Partition[][] = [];
  let bytes = Infinity;
  let objects = 0;
  for (const partition of partitions) {
    if (bytes + partition.bytes > maxBytes || objects + partition.objects.length > maxObjects) {
      chunks.push([]);
      bytes = 0;
      objects = 0;
    }
    chunks.at(-1)?.push(partition);
    bytes += partition.bytes;
    objects += partition.objects.length;
  }
  return chunks;
}
