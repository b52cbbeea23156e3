import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { cupelError } from '../../../errors.ts';
import type { backfill } from '../../../workflows/backfill/backfill.ts';

/** A backfill by the words of a person. */
export type BackfillHandle = WorkflowHandle<typeof backfill>;

async function newestOf(client: Client, source: string): Promise<string | undefined> {
  const query = `WorkflowType = 'backfill' AND CupelSource = '${source.replaceAll("'", '')}'`;
  for await (const found of client.workflow.list({ query })) return found.workflowId; // the newest comes first
  return undefined;
}

/**
 * Finds a backfill by its workflow id, or the newest one of a source by the source's name.
 *
 * @throws CupelError CUP_BACKFILL_UNKNOWN
 */
export async function findBackfill(client: Client, name: string): Promise<BackfillHandle> {
  const handle = client.workflow.getHandle<typeof backfill>(name);
  try {
    const { type } = await handle.describe();
    if (type === 'backfill') return handle;
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  const newest = await newestOf(client, name);
  if (!newest) throw cupelError('CUP_BACKFILL_UNKNOWN', { found: name, advice: 'cupel backfill list' });
  return client.workflow.getHandle<typeof backfill>(newest);
}
