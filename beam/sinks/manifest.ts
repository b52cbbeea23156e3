import type { CompiledContract } from '../../src/contracts/index.ts';
import { cupelError } from '../../src/errors.ts';
import type { Chunk, DeltaFile, FailureReport, Manifest } from '../../src/lakehouse/deltas/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { openJob } from '../job-resources.ts';
import { addUp } from '../threads/counts.ts';
import type { Counts, JobParameters, ManifestPart } from '../threads/messages.ts';

const NONE = { recordsIn: 0, quarantined: 0, reduced: 0, rows: 0 };

function toManifest(chunk: Chunk, files: DeltaFile[], counts: Counts): Manifest {
  const byPartition = chunk.partitions.map((of) => ({ ...of, ...(counts.byPartition[of.partition] ?? NONE) }));
  const sum = (pick: (of: Manifest['byPartition'][number]) => number): number =>
    byPartition.reduce((total, of) => total + pick(of), 0);
  return {
    version: 1,
    batchId: chunk.batchId,
    table: chunk.table,
    source: chunk.source,
    contractHash: chunk.contractHash,
    rulesVersion: chunk.rulesVersion,
    fingerprint: chunk.fingerprint,
    files: files.toSorted((a, b) => a.bucket - b.bucket),
    recordsIn: sum((of) => of.recordsIn),
    quarantined: sum((of) => of.quarantined),
    reduced: sum((of) => of.reduced),
    rows: files.reduce((total, file) => total + file.rows, 0),
    quarantine: Object.entries(counts.quarantine).map(([reasonCode, count]) => ({ reasonCode, count })),
    byPartition,
  };
}

/** Partitions that keep the batch from being published, with the code that says why; none: it may be. */
export function failedPartitions(
  contract: Pick<CompiledContract, 'quarantine'>,
  manifest: Pick<Manifest, 'recordsIn' | 'quarantined' | 'byPartition'>,
  unreadable: Record<string, string>,
): FailureReport['failed'] {
  const { maxShare } = contract.quarantine;
  const overCap = (of: { recordsIn: number; quarantined: number }): boolean => of.quarantined > maxShare * of.recordsIn;
  // The cap is the batch's. Where it is exceeded, some partition alone exceeds it; without those the batch is below it.
  const capped = overCap(manifest);
  return manifest.byPartition.flatMap((of) => {
    const code =
      unreadable[of.partition] ??
      (of.recordsIn !== of.quarantined + of.reduced + of.rows ? 'CUP_ROWS_LOST' : undefined) ??
      (capped && overCap(of) ? 'CUP_QUARANTINE_CAP' : undefined);
    return code ? [{ partition: of.partition, code }] : [];
  });
}

/** A metric as the Dataflow service shows it: one JSON line on standard output, which a launcher turns into a counter. */
function report(metric: string, value: number): void {
  process.stdout.write(`${JSON.stringify({ metric, value, namespace: 'kappa', step: 'publish' })}\n`);
}

async function removeStaged(store: ObjectStore, stage: string): Promise<void> {
  for await (const block of store.list(`${stage}/`)) await store.delete(block.uri);
}

/**
 * Ends the job because partitions failed; its report, where one is asked for, names them.
 *
 * @throws CupelError CUP_PARTITIONS_FAILED
 */
export async function refuseBatch(
  store: ObjectStore,
  parameters: JobParameters,
  batchId: string,
  failed: FailureReport['failed'],
): Promise<never> {
  const body: FailureReport = { batchId, failed };
  if (parameters.report) await store.create(parameters.report, JSON.stringify(body), 'application/json');
  const named = failed.slice(0, 20).map(({ partition, code }) => `${partition} ${code}`);
  throw cupelError('CUP_PARTITIONS_FAILED', { batch: batchId, partitions: failed.length, first: named.join('; ') });
}

/**
 * Publishes the batch. Where its manifest exists already another attempt was first: its files count, ours are orphans.
 *
 * @throws CupelError CUP_PARTITIONS_FAILED naming the partitions that hold an unreadable object, more refused records than
 *   the contract allows, or records that nobody can account for; nothing is published, and the report says the same
 */
export async function publishManifest(parameters: JobParameters, parts: ManifestPart[]): Promise<void> {
  const { store, deltas, contract, chunk: asked } = await openJob(parameters);
  const chunk = (asked.pull && (await deltas.readLanded(asked.batchId))) ?? asked;
  const counts = addUp(parts.map((part) => part.counts));
  const manifest = toManifest(
    chunk,
    parts.flatMap((part) => part.file ?? []),
    counts,
  );
  report('records_in', manifest.recordsIn);
  report('quarantined', manifest.quarantined);
  report('rows', manifest.rows);
  const failed = failedPartitions(contract, manifest, counts.unreadable);
  if (failed.length) await refuseBatch(store, parameters, chunk.batchId, failed);
  await deltas.writeManifest(manifest);
  await removeStaged(store, parameters.stage);
}
