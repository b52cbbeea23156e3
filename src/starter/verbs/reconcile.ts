import type { Command } from 'commander';
import { reconcileId, TASK_QUEUE } from '../../workflows/ids.ts';
import { canonicalRange } from '../../workflows/range.ts';
import type { ReconcileResult } from '../../workflows/reconcile.ts';
import { answer, progress, progressDone } from '../output.ts';
import { withTemporal } from '../session.ts';

const EXAMPLES = `
Examples:
  $ cupel reconcile earthquakes --from 2025-05-04 --to 2025-05-05
  $ cupel reconcile earthquakes --from 2025-05-01 --to 2025-06-01 --json`;

function linesOf(result: ReconcileResult): string[] {
  return [
    `objects     ${result.objects}, ${result.arrived} known to the ledger`,
    `registered  ${result.registered} whose event was lost, ${result.refused} of them refused`,
    `republished ${result.republished} that a crash left unpublished`,
    `holes       ${result.missingRuns} missing runs, ${result.gaps} gaps (${result.coveredGaps} covered by another answer), ${result.found} taken back`,
  ];
}

/** `cupel reconcile SOURCE --from T --to T`: compares Bronze with ledger and outbox, and mends them. */
export function reconcileCommand(program: Command): void {
  program
    .command('reconcile')
    .description('compare Bronze with what the ledger and the outbox say, and mend them')
    .argument('<source>', 'name of a contract')
    .requiredOption('--from <time>', 'start of the range, UTC, included; a date is its midnight')
    .requiredOption('--to <time>', 'end of the range, UTC, not included')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, options: { from: string; to: string; json?: boolean }) => {
      const { from, to } = canonicalRange(options);
      const workflowId = reconcileId(source, from, to);
      const result = await withTemporal(async (client) => {
        const handle = await client.workflow.start<(input: object) => Promise<ReconcileResult>>('reconcile', {
          workflowId,
          taskQueue: TASK_QUEUE,
          args: [{ source, from, to }],
          workflowIdConflictPolicy: 'USE_EXISTING',
        });
        progress(`${workflowId} runs`);
        return handle.result();
      });
      progressDone();
      answer(options, result, linesOf(result));
    });
}
