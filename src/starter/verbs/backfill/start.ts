import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import { Option } from 'commander';
import type { Command } from 'commander';
import { cupelError } from '../../../errors.ts';
import { readEnvironment } from '../../../gcp/env.ts';
import { loadContract } from '../../../lakehouse/contract-store.ts';
import { resolveRange } from '../../../lakehouse/planning/local-days.ts';
import type { backfill } from '../../../workflows/backfill/backfill.ts';
import type { BackfillInput } from '../../../workflows/backfill/messages.ts';
import { backfillId, TASK_QUEUE } from '../../../workflows/ids.ts';
import { answer } from '../../output.ts';
import { withTemporal } from '../../session.ts';
import type { BackfillHandle } from './find.ts';
import { follow } from './follow.ts';
import { inputOf, planOptions, readCount } from './options.ts';
import type { BackfillOptions } from './options.ts';
import { statusLines } from './print.ts';

/**
 * Starts a backfill under the id of its range.
 *
 * @throws CupelError CUP_BACKFILL_RUNNING when one over the same range runs already
 */
export async function startBackfill(client: Client, workflowId: string, input: BackfillInput): Promise<BackfillHandle> {
  try {
    return await client.workflow.start<typeof backfill>('backfill', {
      workflowId,
      taskQueue: TASK_QUEUE,
      args: [input],
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: `${input.source} ${input.from} to ${input.to}`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw cupelError(
      'CUP_BACKFILL_RUNNING',
      { workflow: workflowId, advice: `cupel backfill show ${workflowId}` },
      error,
    );
  }
}

/** Waits for the end and says how it was. */
export async function followToEnd(handle: BackfillHandle, options: { json?: boolean }): Promise<void> {
  const result = await follow(handle);
  answer(options, result, [...statusLines(result.status, handle.workflowId), `Gold       ${result.gold.state}`]);
}

interface StartOptions extends BackfillOptions {
  concurrency?: number;
  follow?: boolean;
  json?: boolean;
}

/** `cupel backfill start`. */
export function startCommand(backfill: Command): void {
  planOptions(backfill.command('start'))
    .description('start a backfill; it goes on whatever becomes of this command')
    .option('--concurrency <n>', 'chunks at once, 1 to 100; default 4', readCount)
    .option('--depends-on-past', 'one chunk after the other, none after one that failed')
    .addOption(new Option('--publish <how>', 'commit as it goes, or after an audit').choices(['direct', 'audited']))
    .addOption(new Option('--approval <who>', 'who approves an audit').choices(['person', 'checks']))
    .option('--follow', 'show how it goes on until it ends')
    .option('--json', 'answer with JSON')
    .action(async (source: string, options: StartOptions) => {
      const contract = await loadContract(readEnvironment().contractsDirectory, source);
      const range = resolveRange(options.from, options.to, contract.timeZone);
      const workflowId = backfillId(source, range.from, range.to);
      const { concurrency, ...rest } = options;
      const input = inputOf(source, { ...rest, ...range, ...(concurrency ? { maxConcurrency: concurrency } : {}) });
      await withTemporal(async (client) => {
        const handle = await startBackfill(client, workflowId, input);
        if (options.follow) return followToEnd(handle, options);
        answer(options, { workflowId }, [
          `started ${workflowId}`,
          `to watch it: cupel backfill show ${workflowId} --follow`,
        ]);
      });
    });
}
