import type { CompiledContract } from '../../contracts/index.ts';
import type { Chunk, ChunkObject, DeltaStore } from '../deltas/index.ts';
import type { Ledger } from '../ledger/index.ts';
import { emptyManifest, toChunk, toPullChunk } from './chunks.ts';
import { readPlanChunk } from './plan-store.ts';
import type { ChunkReference, PlanLine } from './plan-store.ts';
import { validateObjects } from './validate.ts';
import type { ValidationResources } from './validate.ts';

/** A chunk that a job may process. */
export interface ValidatedChunk {
  batchId: string;
  uri: string;
  objects: number;
  partitions: number;
  /** Whether its manifest is there already. */
  published: boolean;
}

/** What became of a chunk of a plan before any job. */
export interface PreparedChunk {
  /** Undefined: nothing is left to process. */
  chunk?: ValidatedChunk;
  /** Objects that validation refused as a whole; they are in quarantine. */
  refused: number;
  /** Partitions that were done meanwhile. */
  done: number;
}

/** What to prepare. */
export interface PrepareRequest {
  planUri: string;
  reference: ChunkReference;
  /** Leave out what the ledger knows as done by now: a second attempt of a chunk of which a part was done. */
  openOnly?: boolean;
  /** The run that processes anew what is done already, or that pulls. */
  again?: string;
}

/** What preparing works with. */
export interface PrepareResources extends ValidationResources {
  deltas: DeltaStore;
  ledger: Pick<Ledger, 'latest' | 'append'>;
}

async function stillOpen(ledger: Pick<Ledger, 'latest'>, source: string, lines: PlanLine[]): Promise<PlanLine[]> {
  const states = await ledger.latest(source, ['partition']);
  const done = new Map(
    states.filter(({ state }) => state === 'done').map(({ subject, fingerprint }) => [subject, fingerprint]),
  );
  return lines.filter(({ partition, fingerprint }) => done.get(partition) !== fingerprint);
}

function objectsOf(lines: PlanLine[]): { objects: ChunkObject[]; known: Map<string, string> } {
  const known = new Map<string, string>();
  const objects = lines.flatMap(({ partition, members }) =>
    members.map(({ name, generation, bytes, verified }) => {
      if (verified) known.set(`${name}#${generation}`, 'verified');
      return { name, generation, bytes, partition };
    }),
  );
  return { objects, known };
}

/**
 * Verifies the objects of a chunk of a plan that nobody has verified yet, registers them, and stores the chunk for a job. A chunk of
 * windows has no objects yet: its job lands and verifies them.
 */
export async function prepareChunk(
  resources: PrepareResources,
  contract: CompiledContract,
  request: PrepareRequest,
): Promise<PreparedChunk> {
  const { store, deltas, ledger } = resources;
  const planned = await readPlanChunk(store, request.planUri, request.reference);
  const windows = planned.flatMap(({ window }) => window ?? []);
  if (windows.length)
    return {
      refused: 0,
      done: 0,
      chunk: await storeChunk(deltas, toPullChunk(contract, windows, request.again ?? '')),
    };
  const lines = request.openOnly ? await stillOpen(ledger, contract.source, planned) : planned;
  const { objects, known } = objectsOf(lines);
  const validation = await validateObjects(resources, contract, objects, known);
  await ledger.append(validation.arrivals);
  const outcome = { refused: validation.refused, done: planned.length - lines.length };
  if (!lines.length) return outcome;
  const chunk = toChunk(contract, validation.accepted, objects, request.again);
  return { ...outcome, chunk: await storeChunk(deltas, chunk) };
}

/** Stores a chunk and tells whether its batch is published already; one without an object to process is published here. */
export async function storeChunk(deltas: DeltaStore, chunk: Chunk): Promise<ValidatedChunk> {
  await deltas.writeChunk(chunk);
  if (!chunk.objects.length && !chunk.pull) await deltas.writeManifest(emptyManifest(chunk));
  const published = (await deltas.readManifest(chunk.table, chunk.batchId)) !== undefined;
  return {
    batchId: chunk.batchId,
    uri: deltas.chunkUri(chunk.batchId),
    objects: chunk.objects.length,
    partitions: chunk.partitions.length,
    published,
  };
}
