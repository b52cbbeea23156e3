import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';

/** A workflow, told apart from others that had its id. */
export interface RunReference {
  workflowId: string;
  /** The first run of the chain. */
  runId: string;
}

/** Whether a run is open, or the run that it continued as. One that is not found is closed and forgotten. */
export async function isOpen(temporal: Client, { workflowId, runId }: RunReference): Promise<boolean> {
  try {
    const { status, raw } = await temporal.workflow.getHandle(workflowId).describe();
    const { firstRunId, execution } = raw.workflowExecutionInfo ?? {};
    const same = (firstRunId || execution?.runId) === runId;
    return same && (status.name === 'RUNNING' || status.name === 'PAUSED');
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** Whether a workflow of that id runs, whichever run it is. */
export async function isRunning(temporal: Client, workflowId: string): Promise<boolean> {
  try {
    return (await temporal.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
