import type { CompiledContract } from '../../contracts/index.ts';
import { landBytes } from '../../ingest/land-file.ts';
import { listFeed, partitionsOf } from '../bronze/index.ts';
import type { Partition } from '../bronze/index.ts';
import type { ChunkObject } from '../deltas/index.ts';
import type { LedgerState } from '../ledger/index.ts';
import { toChunk } from '../planning/chunks.ts';
import { storeChunk } from '../planning/prepare-chunk.ts';
import type { PrepareResources, ValidatedChunk } from '../planning/prepare-chunk.ts';
import { cutChunks } from '../planning/selection.ts';
import { validateObjects } from '../planning/validate.ts';
import { fileBytesUri } from './judge.ts';
import type { RedrivePage } from './redrive-plan.ts';
import type { QuarantineEntry } from './types.ts';

/** Bytes of Bronze in one job, as a pipeline cuts them. */
const CHUNK_BYTES = 256 << 20;

const HOUR = 3_600_000;

/** Lands a file that was refused at the door, under the hour of its drop: from here on it is like any other. */
async function landKept(
  resources: PrepareResources,
  contract: CompiledContract,
  entry: QuarantineEntry,
): Promise<void> {
  if (!entry.file) return;
  const { file, dropped } = entry.file;
  const bytes = await resources.store.read(fileBytesUri(entry));
  await landBytes(resources, contract, file.name, { bytes, created: dropped });
}

async function listPartition(
  { store, bronzeBucket }: PrepareResources,
  contract: CompiledContract,
  partition: string,
): Promise<ChunkObject[]> {
  const [feed = '', hour = ''] = partition.split('/');
  const from = new Date(`${hour}:00:00Z`);
  return listFeed(store, bronzeBucket, contract.source, feed, { from, to: new Date(from.getTime() + HOUR) });
}

async function prepare(
  resources: PrepareResources,
  contract: CompiledContract,
  partitions: Partition[],
  verified: ReadonlyMap<string, string>,
  again?: string,
): Promise<ValidatedChunk[]> {
  const chunks: ValidatedChunk[] = [];
  for (const part of cutChunks(partitions, CHUNK_BYTES)) {
    const objects = part.flatMap((of) => of.objects);
    const { accepted, arrivals } = await validateObjects(resources, contract, objects, verified);
    await resources.ledger.append(arrivals);
    chunks.push(await storeChunk(resources.deltas, toChunk(contract, accepted, objects, again)));
  }
  return chunks;
}

/**
 * Lands the files of a page, and makes the chunks of those of its partitions that are not done under the current contract: the
 * very batches that a pipeline would make of them. Safe to repeat.
 *
 * @param run names the batches of partitions that are to be processed again although they are done
 */
export async function preparePage(
  resources: PrepareResources,
  contract: CompiledContract,
  page: RedrivePage,
  run: string,
): Promise<ValidatedChunk[]> {
  for (const entry of page.entries) await landKept(resources, contract, entry);
  const listed: ChunkObject[] = [];
  for (const partition of page.partitions) listed.push(...(await listPartition(resources, contract, partition)));
  const states = await resources.ledger.latest(contract.source, ['partition', 'arrival']);
  const done = doneBy(states);
  const verified = new Map(
    states.filter(({ kind }) => kind === 'arrival').map(({ subject, state }) => [subject, state]),
  );
  const again = new Set(page.again);
  const partitions = partitionsOf(contract, listed);
  const open = partitions.filter((of) => !again.has(of.partition) && done.get(of.partition) !== of.fingerprint);
  const anew = partitions.filter((of) => again.has(of.partition));
  return [
    ...(await prepare(resources, contract, open, verified)),
    ...(await prepare(resources, contract, anew, verified, run)),
  ];
}

/** Fingerprint that each partition was done with. */
function doneBy(states: LedgerState[]): Map<string, string> {
  const done = states.filter(({ kind, state }) => kind === 'partition' && state === 'done');
  return new Map(done.map(({ subject, fingerprint }) => [subject, fingerprint]));
}
