import { WorkflowIdReusePolicy } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import type { committer, Submission } from '../workflows/committer.ts';
import { committerId, TASK_QUEUE } from '../workflows/ids.ts';

/** Batches for a committer. */
export interface SubmitBatches extends Omit<Submission, 'batchId'> {
  /** `<namespace>.<table>` */
  table: string;
  batchIds: string[];
}

/** Hands batches to the committer of a table, and starts it where there is none. */
export async function submitBatches(temporal: Client, { table, batchIds, ...common }: SubmitBatches): Promise<void> {
  const submissions = batchIds.map((batchId) => ({ batchId, ...common }));
  await temporal.workflow.signalWithStart<typeof committer, [Submission[]]>('committer', {
    workflowId: committerId(table),
    taskQueue: TASK_QUEUE,
    args: [{ table }],
    signal: 'submit',
    signalArgs: [submissions],
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
  });
}
