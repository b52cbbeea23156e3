import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
import type { FailedPartition } from '../lakehouse/planning/chunks.ts';
import { short } from './activities.ts';

/**
 * The good partitions are committed by now; those that failed are entered and fail the run, since nobody else would see them.
 *
 * @throws ApplicationFailure CUP_PARTITIONS_FAILED
 */
export async function refuseFailed(source: string, failed: FailedPartition[]): Promise<void> {
  if (!failed.length) return;
  await short.recordFailures({ source, failed, run: workflowInfo().runId });
  const named = failed.slice(0, 10).map(({ partition, code }) => `${partition} (${code})`);
  throw ApplicationFailure.nonRetryable(
    `${failed.length} partitions failed, everything else is committed: ${named.join(', ')}`,
    'CUP_PARTITIONS_FAILED',
    { failed: failed.slice(0, 50) },
  );
}
