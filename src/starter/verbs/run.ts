import type { Command } from 'commander';
import { pipelineId, TASK_QUEUE } from '../../workflows/ids.ts';
import type { PipelineResult } from '../../workflows/pipeline.ts';
import { canonicalRange } from '../../workflows/range.ts';
import { answer, progress, progressDone } from '../output.ts';
import { withTemporal } from '../session.ts';

const EXAMPLES = `
Examples:
  $ cupel run earthquakes --from 2025-05-04 --to 2025-05-05
  $ cupel run earthquakes --from 2025-05-04T13:00:00Z --to 2025-05-04T19:00:00Z --json

The same by Temporal's own command line:
  $ temporal workflow start --type pipeline --task-queue cupel \\
      --workflow-id pipeline/earthquakes/2025-05-04T00:00:00Z/2025-05-05T00:00:00Z \\
      --input '{"source":"earthquakes","from":"2025-05-04","to":"2025-05-05"}'`;

function linesOf({ plan, batches, refusedObjects, gold }: PipelineResult): string[] {
  return [
    `planned      ${plan.objects} objects in ${plan.partitions} partitions, ${plan.donePartitions} done before, ${plan.missingSlots} slots missing`,
    `validated    ${refusedObjects} objects refused`,
    `processed    ${batches.committed} batches committed, ${batches.unchanged} unchanged, ${batches.rows} rows`,
    `materialized Gold ${gold.state}${gold.asOf ? `, Silver as of ${gold.asOf}` : ''}`,
  ];
}

/** `cupel run SOURCE --from T --to T`: runs the pipeline over a range; one that runs already is joined. */
export function runCommand(program: Command): void {
  program
    .command('run')
    .description('plan, validate, process and materialize a range of a source')
    .argument('<source>', 'name of a contract')
    .requiredOption('--from <time>', 'start of the range, UTC, included; a date is its midnight')
    .requiredOption('--to <time>', 'end of the range, UTC, not included')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, options: { from: string; to: string; json?: boolean }) => {
      const { from, to } = canonicalRange(options);
      const workflowId = pipelineId(source, from, to);
      const result = await withTemporal(async (client) => {
        const handle = await client.workflow.start<(input: object) => Promise<PipelineResult>>('pipeline', {
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
