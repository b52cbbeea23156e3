import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { cupelError } from '../errors.ts';
import { sourceId } from '../workflows/ids.ts';
import { overlaps } from '../workflows/range.ts';
import type { Range } from '../workflows/range.ts';
import type { Lease, SourceInput } from '../workflows/source.ts';
import { askEntity } from './ask-entity.ts';
import { withHeartbeat } from './heartbeats.ts';
import { isOpen } from './open-runs.ts';
import type { RunReference } from './open-runs.ts';
import type { ActivityResources } from './resources.ts';
import { submitBatches } from './submit-batches.ts';
import type { SubmitBatches } from './submit-batches.ts';

/** The innermost failure with a code; trying again would not help, since the workflow has ended. */
function failureOf(workflowId: string, { cause }: WorkflowFailedError): Error {
  for (let at: unknown = cause; at instanceof Error; at = at.cause)
    if (at instanceof ApplicationFailure && at.type) return ApplicationFailure.nonRetryable(at.message, at.type);
  return cupelError('CUP_WORKFLOW_ENDED', { workflow: workflowId, reason: cause?.message ?? 'unknown' });
}

/** Activities that reach other workflows by the client: what a workflow cannot do itself. */
export function temporalActivities({ temporal }: ActivityResources) {
  async function leasesOf(source: string): Promise<Lease[]> {
    try {
      return await temporal.workflow.getHandle(sourceId(source)).query<Lease[]>('leases');
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return [];
      throw error;
    }
  }

  return {
    /**
     * Asks the entity of a source for a range, and starts the entity where there is none.
     *
     * @throws ApplicationFailure CUP_RANGE_LEASED with the holder
     */
    async acquireLease({ source, lease }: { source: string; lease: Lease }): Promise<void> {
      const entity = { type: 'source', workflowId: sourceId(source), input: { source } satisfies SourceInput };
      await askEntity<void, Lease>(temporal, entity, { update: 'acquireLease', input: lease });
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

    /**
     * Whether a run is open, or the run that it continued as. One that is not found is closed and forgotten.
     *
     * @param runId the first run of the chain
     */
    isRunning: (run: RunReference): Promise<boolean> => isOpen(temporal, run),

    /** Workflow of a living run that has a lease on a part of the range; null: the range is free. */
    async holderOf({ source, range }: { source: string; range: Range }): Promise<string | null> {
      for (const lease of await leasesOf(source))
        if (overlaps(lease.range, range) && (await isOpen(temporal, lease))) return lease.workflowId;
      return null;
    },

    /**
     * Waits until a workflow has ended, whichever run it has become by then. Its failure is thrown with its own code.
     *
     * @throws ApplicationFailure with the code of the workflow's failure; CUP_WORKFLOW_ENDED where it was cancelled or terminated
     */
    async awaitWorkflow({ workflowId }: { workflowId: string }): Promise<void> {
      const { cancelled } = Context.current();
      try {
        await withHeartbeat(() => Promise.race([temporal.workflow.getHandle(workflowId).result(), cancelled]));
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return; // it has ended and is forgotten
        if (error instanceof WorkflowFailedError) throw failureOf(workflowId, error);
        throw error;
      }
    },

    /** Hands batches to the committer of a table, and starts it where there is none. */
    submitBatches: (input: SubmitBatches): Promise<void> => submitBatches(temporal, input),
  };
}
