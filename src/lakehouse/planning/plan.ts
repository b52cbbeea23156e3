import { createHash } from 'node:crypto';
import type { CompiledContract } from '../../contracts/index.ts';
import { cutChunks, listBronze, missingRuns, partitionsOf } from '../bronze/index.ts';
import type { HourRange, MissingRun, Partition } from '../bronze/index.ts';
import type { ChunkObject } from '../deltas/index.ts';
import type { ObjectStore } from '../object-store.ts';

/** Bytes of Bronze in one job: minutes of work for one small worker. */
export const CHUNK_BYTES = 256 << 20;

/** What there is to do in a range, from the listing of Bronze; stored as `plans/<sha256>.json`. */
export interface Plan {
  source: string;
  contractHash: string;
  objects: number;
  partitions: number;
  /** Partitions that are committed with their current fingerprint. */
  donePartitions: number;
  chunks: ChunkObject[][];
  missing: MissingRun[];
}

/**
 * Plans a range: which partitions are not done with their current fingerprint, cut into chunks.
 *
 * @param done fingerprint that each partition was last committed with
 */
export async function planRange(
  store: ObjectStore,
  bronzeBucket: string,
  contract: CompiledContract,
  range: HourRange,
  done: ReadonlyMap<string, string>,
): Promise<Plan> {
  const objects = await listBronze(store, bronzeBucket, contract, range);
  const partitions = partitionsOf(contract, objects);
  const open = partitions.filter((partition: Partition) => done.get(partition.partition) !== partition.fingerprint);
  return {
    source: contract.source,
    contractHash: contract.hash,
    objects: objects.length,
    partitions: partitions.length,
    donePartitions: partitions.length - open.length,
    chunks: cutChunks(open, CHUNK_BYTES).map((chunk) => chunk.flatMap((partition) => partition.objects)),
    missing: missingRuns(contract, partitions),
  };
}

/** Stores a plan under the hash of its content. Returns its URI. */
export async function storePlan(store: ObjectStore, opsBucket: string, plan: Plan): Promise<string> {
  const text = JSON.stringify(plan);
  const uri = `gs://${opsBucket}/plans/${createHash('sha256').update(text).digest('hex')}.json`;
  await store.create(uri, text, 'application/json');
  return uri;
}
