import { cupelError } from '../../src/errors.ts';
import type { Chunk, DeltaFile, Manifest } from '../../src/lakehouse/deltas/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { openJob } from '../job-resources.ts';
import type { JobParameters, ManifestPart, ParseCounts } from '../threads/messages.ts';

function addInto(totals: Record<string, number>, counts: Record<string, number>): void {
  for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
}

function total(all: ParseCounts[]): ParseCounts {
  const sum: ParseCounts = { recordsIn: 0, quarantined: 0, quarantine: {}, byPartition: {} };
  for (const counts of all) {
    sum.recordsIn += counts.recordsIn;
    sum.quarantined += counts.quarantined;
    addInto(sum.quarantine, counts.quarantine);
    for (const [partition, of] of Object.entries(counts.byPartition))
      addInto((sum.byPartition[partition] ??= { recordsIn: 0, quarantined: 0 }), of);
  }
  return sum;
}

function chunkPartitions(chunk: Chunk, counts: ParseCounts): Manifest['byPartition'] {
  const none = { recordsIn: 0, quarantined: 0 };
  return chunk.partitions.map((of) => ({ ...of, ...(counts.byPartition[of.partition] ?? none) }));
}

function toManifest(chunk: Chunk, files: DeltaFile[], counts: ParseCounts): Manifest {
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  return {
    version: 1,
    batchId: chunk.batchId,
    table: chunk.table,
    source: chunk.source,
    contractHash: chunk.contractHash,
    rulesVersion: chunk.rulesVersion,
    fingerprint: chunk.fingerprint,
    files: files.toSorted((a, b) => a.bucket - b.bucket),
    recordsIn: counts.recordsIn,
    quarantined: counts.quarantined,
    reduced: counts.recordsIn - counts.quarantined - rows,
    rows,
    quarantine: Object.entries(counts.quarantine).map(([reasonCode, count]) => ({ reasonCode, count })),
    byPartition: chunkPartitions(chunk, counts),
  };
}

/** A metric as the Dataflow service shows it: one JSON line on standard output, which a launcher turns into a counter. */
function report(metric: string, value: number): void {
  process.stdout.write(`${JSON.stringify({ metric, value, namespace: 'kappa', step: 'publish' })}\n`);
}

async function removeStaged(store: ObjectStore, stage: string): Promise<void> {
  for await (const block of store.list(`${stage}/`)) await store.delete(block.uri);
}

/**
 * Publishes the batch. Where its manifest exists already another attempt was first: its files count, ours are orphans.
 *
 * @throws CupelError CUP_QUARANTINE_CAP when more records were refused than the contract allows; nothing is published
 */
export async function publishManifest(parameters: JobParameters, parts: ManifestPart[]): Promise<void> {
  const { store, deltas, contract, chunk } = await openJob(parameters);
  const counts = total(parts.flatMap((part) => ('counts' in part ? [part.counts] : [])));
  const manifest = toManifest(
    chunk,
    parts.flatMap((part) => ('file' in part ? [part.file] : [])),
    counts,
  );
  report('records_in', manifest.recordsIn);
  report('quarantined', manifest.quarantined);
  report('rows', manifest.rows);
  const share = manifest.recordsIn ? manifest.quarantined / manifest.recordsIn : 0;
  if (share > contract.quarantine.maxShare) {
    throw cupelError('CUP_QUARANTINE_CAP', {
      batch: chunk.batchId,
      refused: manifest.quarantined,
      of: manifest.recordsIn,
      allowed: contract.quarantine.maxShare,
    });
  }
  await deltas.writeManifest(manifest);
  await removeStaged(store, parameters.stage);
}
