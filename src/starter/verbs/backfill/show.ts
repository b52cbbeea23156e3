import type { Command } from 'commander';
import { answer } from '../../output.ts';
import { withTemporal } from '../../session.ts';
import { findBackfill } from './find.ts';
import { isOpen, statusOf } from './follow.ts';
import { failureOf, statusLines } from './print.ts';
import { followToEnd } from './start.ts';

/** `cupel backfill show`. */
export function showCommand(backfill: Command): void {
  backfill
    .command('show')
    .description('where a backfill stands, what failed, and what to type')
    .argument('<id or source>', 'workflow id, or a source for its newest backfill')
    .option('--follow', 'until it ends')
    .option('--json', 'answer with JSON')
    .action(async (name: string, options: { follow?: boolean; json?: boolean }) =>
      withTemporal(async (client) => {
        const handle = await findBackfill(client, name);
        const open = await isOpen(handle);
        if (options.follow && open) return followToEnd(handle, options);
        const status = await statusOf(handle);
        const failure = open ? undefined : await handle.result().then(() => undefined, failureOf);
        const lines = status ? statusLines(status, handle.workflowId) : [handle.workflowId, 'it has not begun yet'];
        answer(options, { workflowId: handle.workflowId, open, status: status ?? null, failure: failure ?? null }, [
          ...lines,
          ...(failure ? [`ended      ${failure}`] : []),
        ]);
      }),
    );
}
