import { defaultPayloadConverter } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import type { Reprocess } from '../../../lakehouse/planning/selection.ts';
import type { BackfillInput } from '../../../workflows/backfill/messages.ts';
import { answer } from '../../output.ts';
import { withTemporal } from '../../session.ts';
import { say } from './control.ts';
import { findBackfill } from './find.ts';
import { isOpen } from './follow.ts';
import { followToEnd, startBackfill } from './start.ts';

/** What an ended backfill is started with again: what it was to do, as far as it is not done. */
const AGAIN: Record<Reprocess, Reprocess> = { missing: 'failed', failed: 'failed', stale: 'stale', all: 'failed' };

/** The input that a workflow was started with, without what it carried over. */
async function inputOf(client: Client, workflowId: string): Promise<BackfillInput> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId },
    maximumPageSize: 1,
  });
  const payload = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  if (!payload) throw new Error(`${workflowId} has no input`);
  const { state: _state, ...input } = defaultPayloadConverter.fromPayload<BackfillInput>(payload);
  return input;
}

/** `cupel backfill retry`. */
export function retryCommand(backfill: Command): void {
  backfill
    .command('retry')
    .description('run what failed again: within the backfill if it runs, else as the same backfill once more')
    .argument('<id or source>', 'workflow id, or a source for its newest backfill')
    .option('--follow', 'until it ends')
    .option('--json', 'answer with JSON')
    .action(async (name: string, options: { follow?: boolean; json?: boolean }) => {
      const running = await withTemporal(async (client) => isOpen(await findBackfill(client, name)));
      if (running) return say(name, 'retryFailed', [], options);
      return withTemporal(async (client) => {
        const { workflowId } = await findBackfill(client, name);
        const input = await inputOf(client, workflowId);
        const reprocess = AGAIN[input.reprocess ?? 'stale'];
        const handle = await startBackfill(client, workflowId, { ...input, reprocess });
        if (options.follow) return followToEnd(handle, options);
        answer(options, { workflowId }, [`started ${workflowId} again, for what is not done`]);
      });
    });
}
