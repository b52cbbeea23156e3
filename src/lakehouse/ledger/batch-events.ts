import type { DeltaStore, Done, Manifest } from '../deltas/index.ts';
import { ledgerEvent } from './events.ts';
import type { LedgerEvent } from './events.ts';

/**
 * The events of a settled batch and its partitions, from its manifest and its outcome; none while it is not settled.
 *
 * @param at when it was settled
 */
export async function batchEvents(
  deltas: DeltaStore,
  source: string,
  table: string,
  batchId: string,
  at = new Date(),
): Promise<LedgerEvent[]> {
  const [manifest, done] = await Promise.all([deltas.readManifest(table, batchId), deltas.readDone(table, batchId)]);
  return manifest && done ? settledEvents(source, manifest, done, at) : [];
}

/** The events of a settled batch and its partitions, from what its manifest and its outcome say. */
export function settledEvents(source: string, manifest: Omit<Manifest, 'files'>, done: Done, at: Date): LedgerEvent[] {
  const { batchId } = manifest;
  const { recordsIn, quarantined, reduced, rows } = manifest;
  const detail = {
    snapshotId: done.snapshotId,
    recordsIn,
    quarantined,
    reduced,
    rows,
    bytes: done.bytes,
    groupBytesWritten: done.groupBytesWritten,
    ...(manifest.unknownFields ? { unknownFields: manifest.unknownFields } : {}),
  };
  const batch = ledgerEvent('batch', source, batchId, done.outcome, done.fingerprint, detail, at);
  // What the fingerprint was made of, so that a later plan can say why it differs.
  const madeBy = { batchId, contractHash: manifest.contractHash, rulesVersion: manifest.rulesVersion };
  const partitions = manifest.byPartition.map(({ partition, fingerprint, ...counts }) =>
    ledgerEvent('partition', source, partition, 'done', fingerprint, { ...madeBy, ...counts }, at, batchId),
  );
  return [batch, ...quarantineEvents(manifest, at), ...partitions];
}

/** What a batch refused, by reason; none where it refused nothing. */
function quarantineEvents(
  { source, batchId, fingerprint, ...manifest }: Omit<Manifest, 'files'>,
  at: Date,
): LedgerEvent[] {
  const { quarantined, contractHash } = manifest;
  if (!quarantined) return [];
  const reasons = Object.fromEntries(manifest.quarantine.map(({ reasonCode, count }) => [reasonCode, count]));
  return [ledgerEvent('quarantine', source, batchId, 'kept', fingerprint, { contractHash, quarantined, reasons }, at)];
}
