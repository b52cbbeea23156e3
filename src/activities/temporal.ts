import {
  WithStartWorkflowOperation,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { committerId, sourceId, TASK_QUEUE } from '../workflows/ids.ts';
import type { committer, Submission } from '../workflows/committer.ts';
import type { Lease, source as sourceWorkflow } from '../workflows/source.ts';
import type { ActivityResources } from './resources.ts';

/** Activities that reach other workflows by the client: what a workflow cannot do itself. */
export function temporalActivities({ temporal }: ActivityResources) {
  return {
    /** Asks the entity of a source for a range, and starts the entity where there is none. */
    async acquireLease({ source, lease }: { source: string; lease: Lease }): Promise<void> {
      const startWorkflowOperation = new WithStartWorkflowOperation<typeof sourceWorkflow>('source', {
        workflowId: sourceId(source),
        taskQueue: TASK_QUEUE,
        args: [{ source }],
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      });
      try {
        await temporal.workflow.executeUpdateWithStart<typeof sourceWorkflow, void, [Lease]>('acquireLease', {
          args: [lease],
          startWorkflowOperation,
        });
      } catch (error) {
        // The refusal of the entity, with its type and the holder, is the answer.
        if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) throw error.cause;
        throw error;
      }
    },

    /** Gives a range back; an entity that is gone holds none. */
    async releaseLease({
      source,
      workflowId,
      runId,
    }: {
      source: string;
      workflowId: string;
      runId: string;
    }): Promise<void> {
      try {
        await temporal.workflow
          .getHandle(sourceId(source))
          .executeUpdate('releaseLease', { args: [{ workflowId, runId }] });
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },

    /** Whether a run is open. One that is not found is closed and forgotten. */
    async isRunning({ workflowId, runId }: { workflowId: string; runId: string }): Promise<boolean> {
      try {
        const { status } = await temporal.workflow.getHandle(workflowId, runId).describe();
        return status.name === 'RUNNING' || status.name === 'PAUSED';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },

    /** Hands batches to the committer of a table, and starts it where there is none. */
    async submitBatches(input: {
      table: string;
      contractUri: string;
      batchIds: string[];
      waiter: string;
    }): Promise<void> {
      const submissions = input.batchIds.map((batchId) => ({
        batchId,
        contractUri: input.contractUri,
        waiter: input.waiter,
      }));
      await temporal.workflow.signalWithStart<typeof committer, [Submission[]]>('committer', {
        workflowId: committerId(input.table),
        taskQueue: TASK_QUEUE,
        args: [{ table: input.table }],
        signal: 'submit',
        signalArgs: [submissions],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      });
    },
  };
}
