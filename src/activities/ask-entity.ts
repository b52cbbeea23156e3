import { WithStartWorkflowOperation, WorkflowIdConflictPolicy, WorkflowUpdateFailedError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { TASK_QUEUE } from '../workflows/ids.ts';

/** A workflow that goes on for ever, and what it is started with. */
interface Entity {
  type: string;
  workflowId: string;
  input: object;
}

/** What it is asked. */
interface Ask<Input> {
  /** Name of the update. */
  update: string;
  input: Input;
  /** Names the asking run, so that asking again is joined. Default: each question is one of its own. */
  updateId?: string;
}

/**
 * Asks an entity by an update, and starts the entity where there is none.
 *
 * @throws ApplicationFailure that the entity answers with, with its type and details
 */
export async function askEntity<Answer, Input>(
  temporal: Client,
  { type, workflowId, input: start }: Entity,
  { update, input, updateId }: Ask<Input>,
): Promise<Answer> {
  const startWorkflowOperation = new WithStartWorkflowOperation(type, {
    workflowId,
    taskQueue: TASK_QUEUE,
    args: [start],
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
  });
  try {
    return await temporal.workflow.executeUpdateWithStart(update, {
      args: [input],
      ...(updateId === undefined ? {} : { updateId }),
      startWorkflowOperation,
    });
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) throw error.cause;
    throw error;
  }
}
