import type { DeltaStore } from '../deltas/index.ts';

/** From this age on a published batch that seems to wait may have been swept; before it nothing is. */
const MAY_BE_SWEPT_MS = 24 * 3_600_000;

/**
 * Whether a published batch is settled. One of which neither outcome nor manifest is left was settled long ago, and swept: a manifest
 * never goes before it has an outcome. Whoever has not looked for so long (a job without messages, a stream that stood still) must
 * not wait for an outcome that is gone.
 */
export async function isSettled(
  deltas: Pick<DeltaStore, 'readDone' | 'readManifest'>,
  { table, batchId, atMs }: { table: string; batchId: string; atMs: number },
  nowMs: number,
): Promise<boolean> {
  // The outcome first: the sweep takes it last.
  if (await deltas.readDone(table, batchId)) return true;
  return nowMs - atMs >= MAY_BE_SWEPT_MS && !(await deltas.readManifest(table, batchId));
}
