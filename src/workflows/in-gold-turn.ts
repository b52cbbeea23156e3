import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import { short, waiting } from './activities.ts';

/**
 * Works while this run has Gold's turn: nobody else writes Gold meanwhile. What decides whether and from what Gold is made belongs
 * inside, or it would be as old as the wait. A run that is cancelled while it waits leaves the queue.
 *
 * @throws whatever the work throws
 */
export async function inGoldTurn<T>(work: () => Promise<T>): Promise<T> {
  const { workflowId, firstExecutionRunId: runId } = workflowInfo();
  const holder = { workflowId, runId };
  try {
    await waiting.takeGoldTurn(holder);
    return await work();
  } finally {
    await CancellationScope.nonCancellable(() => short.endGoldTurn(holder));
  }
}
