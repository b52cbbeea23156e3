import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { Command } from 'commander';
import { cupelError } from '../../../errors.ts';
import type { BackfillStatus } from '../../../workflows/backfill/messages.ts';
import { answer } from '../../output.ts';
import { withTemporal } from '../../session.ts';
import { findBackfill } from './find.ts';
import { failureOf, statusLines } from './print.ts';
import { readCount } from './options.ts';

/** Says something to a running backfill; its refusal is the error. */
export async function say(name: string, update: string, args: unknown[], options: { json?: boolean }): Promise<void> {
  await withTemporal(async (client) => {
    const handle = await findBackfill(client, name);
    try {
      const status = (await handle.executeUpdate(update, { args: args as [] })) as BackfillStatus;
      answer(options, status, statusLines(status, handle.workflowId));
    } catch (error) {
      if (!(error instanceof WorkflowUpdateFailedError)) throw error;
      throw cupelError('CUP_BACKFILL_REFUSED', { workflow: handle.workflowId, reason: failureOf(error.cause) }, error);
    }
  });
}

/** Updates without an argument, and what each does. */
const PLAIN: Record<string, [update: string, description: string]> = {
  resume: ['resume', 'go on after a pause'],
  stop: ['stop', 'start no more chunks; those that run end by themselves'],
  approve: ['approve', 'publish an audited backfill'],
  reject: ['reject', 'throw an audited backfill away'],
};

const WHICH = 'workflow id, or a source for its newest backfill';

/** `cupel backfill pause|resume|set|stop|cancel|approve|reject`. */
export function controlCommands(backfill: Command): void {
  for (const [verb, [update, description]] of Object.entries(PLAIN))
    backfill
      .command(verb)
      .description(description)
      .argument('<id or source>', WHICH)
      .option('--json', 'answer with JSON')
      .action((name: string, options: { json?: boolean }) => say(name, update, [], options));
  backfill
    .command('pause')
    .description('start no more chunks until it is resumed')
    .argument('<id or source>', WHICH)
    .option('--reason <text>', 'shown to whoever wonders')
    .option('--json', 'answer with JSON')
    .action((name: string, options: { reason?: string; json?: boolean }) =>
      say(name, 'pause', [options.reason ? { reason: options.reason } : {}], options),
    );
  backfill
    .command('set')
    .description('change how many chunks run at once')
    .argument('<id or source>', WHICH)
    .requiredOption('--concurrency <n>', '1 to 100', readCount)
    .option('--json', 'answer with JSON')
    .action((name: string, options: { concurrency: number; json?: boolean }) =>
      say(name, 'setConcurrency', [{ maxConcurrency: options.concurrency }], options),
    );
  backfill
    .command('cancel')
    .description('cancel it and the jobs that run; what is committed stays')
    .argument('<id or source>', WHICH)
    .action(async (name: string) =>
      withTemporal(async (client) => {
        const handle = await findBackfill(client, name);
        await handle.cancel();
        answer({}, null, [`cancelling ${handle.workflowId}: its jobs are stopped first`]);
      }),
    );
}
