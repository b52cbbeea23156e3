import { tableName } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { partitionsOf } from '../bronze/index.ts';
import { batchId, fingerprint } from '../deltas/index.ts';
import type { Chunk, ChunkObject, Manifest } from '../deltas/index.ts';
import { windowPartition } from '../pull/index.ts';
import type { PullWindow } from '../pull/index.ts';

/** A partition that cannot be processed, and why. */
export interface FailedPartition {
  partition: string;
  /** As it was listed. */
  fingerprint: string;
  /** Code of the catalogue. */
  code: string;
}

type Base = Omit<Chunk, 'batchId' | 'fingerprint' | 'objects'>;

/** A chunk none of whose objects can be read is named by its partitions, so that it is a batch of its own all the same. */
function nameChunk(base: Base, objects: ChunkObject[]): Chunk {
  const listed = base.partitions.map((of) => ({ name: of.partition, generation: of.fingerprint }));
  const of = fingerprint(objects.length ? objects : listed, base.contractHash, base.rulesVersion);
  return { ...base, batchId: batchId(base.table, of, base.again), fingerprint: of, objects };
}

/**
 * The chunk of validated objects: its batch id comes from what it holds.
 *
 * @param planned all objects of its partitions, those that were refused too
 * @param again the run that processes anew what is done already
 */
export function toChunk(
  contract: CompiledContract,
  accepted: ChunkObject[],
  planned: ChunkObject[] = accepted,
  again?: string,
): Chunk {
  const partitions = partitionsOf(contract, planned).map((of) => ({
    partition: of.partition,
    fingerprint: of.fingerprint,
  }));
  const kept = new Set(accepted);
  const refused = planned.filter((object) => !kept.has(object));
  const base = {
    source: contract.source,
    table: tableName(contract),
    contractHash: contract.hash,
    rulesVersion: contract.rulesVersion,
    partitions,
    ...(refused.length ? { refused } : {}),
    ...(again ? { again } : {}),
  };
  return nameChunk(base, accepted);
}

/**
 * The chunk of windows that its job pulls. The origin may answer otherwise tomorrow, so the batch is named by what is asked and
 * on whose behalf: two attempts of a run are one batch, two runs are two.
 *
 * @param run the run that asks
 */
export function toPullChunk(contract: CompiledContract, windows: PullWindow[], run: string): Chunk {
  const base = {
    source: contract.source,
    table: tableName(contract),
    contractHash: contract.hash,
    rulesVersion: contract.rulesVersion,
    partitions: windows.map((window) => ({ partition: windowPartition(window), fingerprint: '' })),
    again: run,
    pull: windows,
  };
  return nameChunk(base, []);
}

/** A chunk that pulls, once its objects have landed: the same batch, and its partitions as they are listed now. */
export function landedChunk(chunk: Chunk, accepted: ChunkObject[], listed: ChunkObject[]): Chunk {
  const { contractHash, rulesVersion } = chunk;
  const partitions = chunk.partitions.map(({ partition }) => {
    const own = listed.filter((object) => object.partition === partition);
    return { partition, fingerprint: fingerprint(own, contractHash, rulesVersion) };
  });
  return { ...chunk, partitions, objects: accepted };
}

/** The chunk of some of its partitions: another batch, since it holds less. */
export function partOfChunk(chunk: Chunk, keep: (partition: string, index: number) => boolean): Chunk {
  const partitions = chunk.partitions.filter(({ partition }, index) => keep(partition, index));
  const kept = new Set(partitions.map(({ partition }) => partition));
  const objects = chunk.objects.filter(({ partition }) => kept.has(partition));
  const pull = chunk.pull?.filter((window) => kept.has(windowPartition(window)));
  const refused = chunk.refused?.filter(({ partition }) => kept.has(partition));
  return nameChunk({ ...chunk, partitions, ...(refused ? { refused } : {}), ...(pull ? { pull } : {}) }, objects);
}

/** The same work under another contract of its source: another batch. A chunk that pulls asks its origin again. */
export function underContract(chunk: Chunk, contract: CompiledContract): Chunk {
  const { objects, refused = [], again, pull } = chunk;
  if (pull) return toPullChunk(contract, pull, again ?? '');
  return toChunk(contract, objects, [...objects, ...refused], again);
}

/** The manifest of a chunk without an object to process: nothing was read, so nothing came of it. No job is needed for that. */
export function emptyManifest(chunk: Chunk): Manifest {
  const { batchId: id, table, source, contractHash, rulesVersion, fingerprint: of } = chunk;
  const nothing = { recordsIn: 0, quarantined: 0, reduced: 0, rows: 0 };
  return {
    version: 1,
    batchId: id,
    table,
    source,
    contractHash,
    rulesVersion,
    fingerprint: of,
    files: [],
    ...nothing,
    quarantine: [],
    byPartition: chunk.partitions.map((partition) => ({ ...partition, ...nothing })),
  };
}
