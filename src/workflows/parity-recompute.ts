import type { OpenedShadow } from '../activities/parity.ts';
import { working } from './activities.ts';
import type { ParityResult } from './parity-messages.ts';
import { processChunks } from './process-chunks.ts';
import type { Range } from './range.ts';

/** What was computed again, all rounds taken together. */
export interface Recomputed extends Pick<ParityResult, 'objects' | 'batches' | 'failed'> {
  refused: number;
  /** Newest snapshot of the shadow. */
  snapshotId: string | null;
}

/** Failed partitions that a result names. */
const MAX_FAILED = 50;

/**
 * Computes a range into the shadow, whatever is known as done. Repeated, it takes only what landed since: the same chunk is the same
 * batch, and that is published.
 *
 * @param range default: all that Bronze holds by now
 */
export async function recompute(shadow: OpenedShadow, range?: Range): Promise<Recomputed> {
  const { contractUri } = shadow;
  const whole = range ?? (await working.readWholeBronze({ contractUri }));
  if (!whole) return { objects: 0, refused: 0, batches: 0, failed: [], snapshotId: null };
  const plan = await working.planRange({ ...whole, contractUri, reprocess: 'all' });
  const { chunks, refused } = await working.validatePlan({ planUri: plan.planUri, contractUri });
  const { published, failed } = await processChunks(chunks, contractUri);
  const batchIds = published.map(({ batchId }) => batchId);
  const snapshotId = await working.commitShadow({ shadow, batchIds });
  const named = failed.slice(0, MAX_FAILED).map(({ partition, code }) => ({ partition, code }));
  return { objects: plan.objects, refused, batches: batchIds.length, failed: named, snapshotId };
}
