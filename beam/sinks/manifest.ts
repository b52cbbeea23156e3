import { planFields } from '../../src/contracts/index.ts';
import type { CompiledContract, SeenField } from '../../src/contracts/index.ts';
import { cupelError } from '../../src/errors.ts';
import type { Chunk, DeltaFile, FailureReport, Manifest } from '../../src/lakehouse/deltas/index.ts';
import { deleteAll } from '../../src/lakehouse/delete-all.ts';
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
    ...unknownFields(counts),
    byPartition,
    ...(chunk.stream ? { stream: chunk.stream } : {}),
  };
}

/** Nothing where there were none, so that manifests of records that the contract knows stay as they are. */
function unknownFields({ unknown }: Counts): Pick<Manifest, 'unknownFields'> {
  const fields = Object.entries(unknown).map(([field, { records }]) => ({ field, records }));
  return fields.length ? { unknownFields: fields.sort((a, b) => (a.field < b.field ? -1 : 1)) } : {};
}

/** Partitions with members that the contract does not know, where it is frozen. */
function frozenPartitions({ unknownFields: policy }: CompiledContract, { unknown }: Counts): Record<string, string> {
  const partitions = policy === 'freeze' ? Object.values(unknown).flatMap((of) => of.partitions) : [];
  return Object.fromEntries(partitions.map((partition) => [partition, 'CUP_SCHEMA_FROZEN']));
}

/**
 * Ends the job because its contract has to take up fields first; its report names them.
 *
 * @throws CupelError CUP_FIELDS_NEW
 */
async function refuseNewFields(
  store: ObjectStore,
  parameters: JobParameters,
  batchId: string,
  newFields: SeenField[],
): Promise<never> {
  const body: FailureReport = { batchId, failed: [], newFields };
  if (parameters.report) await store.create(parameters.report, JSON.stringify(body), 'application/json');
  throw cupelError('CUP_FIELDS_NEW', {
    batch: batchId,
    fields: newFields.map(({ path }) => path.join('.')).join(', '),
  });
}

/** What an evolving contract has to take up: members whose values tell a type. */
function newFields(contract: CompiledContract, { unknown }: Counts): SeenField[] {
  if (contract.unknownFields !== 'evolve') return [];
  const seen = Object.values(unknown).map(({ path, kinds }) => ({ path, kinds }));
  return planFields(contract, seen).length ? seen : [];
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

/** A stream cannot set its refused records aside and go on without them, so no share of them stops it: they are counted and told. */
function withoutCap({ quarantine }: CompiledContract, { stream }: Chunk): Pick<CompiledContract, 'quarantine'> {
  return { quarantine: stream ? { maxShare: 1 } : quarantine };
}

/** A metric as the Dataflow service shows it: one JSON line on standard output, which a launcher turns into a counter. */
function report(metric: string, value: number): void {
  process.stdout.write(`${JSON.stringify({ metric, value, namespace: 'kappa', step: 'publish' })}\n`);
}

/** Removes what an attempt of a job staged. */
export async function removeStaged(store: ObjectStore, stage: string): Promise<void> {
  await deleteAll(store, `${stage}/`);
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
 *   the contract allows, members that a frozen contract does not know, or records that nobody can account for; CUP_FIELDS_NEW
 *   naming members that the contract is to take up. Nothing is published, and the report says the same
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
  const failed = failedPartitions(withoutCap(contract, chunk), manifest, {
    ...frozenPartitions(contract, counts),
    ...counts.unreadable,
  });
  if (failed.length) await refuseBatch(store, parameters, chunk.batchId, failed);
  const fields = newFields(contract, counts);
  if (fields.length) await refuseNewFields(store, parameters, chunk.batchId, fields);
  await deltas.writeManifest(chunk.stream ? { ...manifest, byPartition: [] } : manifest);
  await removeStaged(store, parameters.batch.stage);
}
