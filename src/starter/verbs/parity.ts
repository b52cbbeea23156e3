import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { cupelError } from '../../errors.ts';
import { loadContract } from '../../lakehouse/contract-store.ts';
import { readReport } from '../../lakehouse/parity/index.ts';
import type { Difference } from '../../lakehouse/parity/index.ts';
import { resolveRange } from '../../lakehouse/planning/local-days.ts';
import { parityId, TASK_QUEUE } from '../../workflows/ids.ts';
import type { ParityInput, ParityResult } from '../../workflows/parity-messages.ts';
import { answer, progress, progressDone } from '../output.ts';
import { withResources } from '../session.ts';
import { differenceLines } from './parity-lines.ts';

const EXAMPLES = `
Examples:
  $ cupel parity earthquakes                                      # all of Bronze
  $ cupel parity earthquakes --from 2025-05-04 --to 2025-05-05
  $ cupel parity github_events --patience 60 --json

Exit code 1 when any key differs, or a part of Bronze could not be computed again.

The same by Temporal's own command line:
  $ temporal workflow start --type parity --task-queue cupel --workflow-id parity/earthquakes \\
      --input '{"source":"earthquakes"}'`;

interface ParityOptions {
  from?: string;
  to?: string;
  patience?: number;
  json?: boolean;
}

type Parity = (input: ParityInput) => Promise<ParityResult>;

/** @throws CupelError CUP_PARITY_RUNNING: another run may be over another range, so it is not joined */
async function start(client: Client, input: ParityInput): Promise<WorkflowHandle<Parity>> {
  const workflowId = parityId(input.source);
  try {
    return await client.workflow.start<Parity>('parity', {
      workflowId,
      taskQueue: TASK_QUEUE,
      args: [input],
      workflowIdConflictPolicy: 'FAIL',
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError)
      throw cupelError('CUP_PARITY_RUNNING', { workflow: workflowId }, error);
    throw error;
  }
}

function linesOf(result: ParityResult, differences: Difference[]): string[] {
  const { range, objects, batches, refusedObjects, failed, keys, unsettled, silverSnapshotId } = result;
  const counts = Object.entries(result.counts).map(([kind, count]) => `${count} ${kind}`);
  const more = result.differences - differences.length;
  return [
    `computed  ${range ? `${range.from} to ${range.to}` : 'all of Bronze'}: ${objects} objects in ${batches} batches, ${refusedObjects} refused`,
    `compared  ${keys} keys of ${result.table}${silverSnapshotId ? `, snapshot ${silverSnapshotId}` : ''}`,
    ...failed.map(({ partition, code }) => `failed    ${partition}: ${code}`),
    ...(unsettled ? [`unsettled ${unsettled} batches that are published, and that nobody commits`] : []),
    ...differences.flatMap(differenceLines),
    ...(more > 0 ? [`… and ${more} more`] : []),
    ...(result.reportUri ? [`report    ${result.reportUri}`] : []),
    result.equal ? 'equal' : `not equal: ${counts.join(', ') || `${failed.length} partitions could not be computed`}`,
  ];
}

/** Both ends or none; a bare date begins at midnight of the contract's time zone. */
async function rangeOf(contracts: string, source: string, { from, to }: ParityOptions): Promise<Partial<ParityInput>> {
  const { timeZone } = await loadContract(contracts, source);
  if (from === undefined && to === undefined) return {};
  if (from === undefined || to === undefined)
    throw cupelError('CUP_RANGE_INVALID', { expected: 'both --from and --to, or none', found: from ?? to ?? '' });
  return resolveRange(from, to, timeZone);
}

async function parity(source: string, options: ParityOptions): Promise<void> {
  await withResources(async ({ temporal, store, environment }) => {
    const range = await rangeOf(environment.contractsDirectory, source, options);
    const patience = options.patience === undefined ? {} : { patienceSeconds: options.patience };
    const handle = await start(temporal, { source, ...range, ...patience });
    progress(`${handle.workflowId} runs`);
    const result = await handle.result();
    progressDone();
    const differences = result.reportUri ? await readReport(store, result.reportUri) : [];
    answer(options, { ...result, keysThatDiffer: differences }, linesOf(result, differences));
    if (!result.equal) process.exitCode = 1;
  });
}

function readSeconds(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('expected whole seconds, such as 60');
  return Number(text);
}

/** `cupel parity SOURCE [--from T --to T]`: computes Bronze again in batch, and compares with what Silver holds. */
export function parityCommand(program: Command): void {
  program
    .command('parity')
    .description('compute a range again from Bronze in batch, and compare every column with Silver')
    .argument('<source>', 'name of a contract')
    .option('--from <time>', 'start of the range, included: a UTC time, or a date of the contract’s time zone')
    .option('--to <time>', 'end of the range, not included')
    .option(
      '--patience <seconds>',
      'time for Silver to get what landed before; default 600 while it is streamed',
      readSeconds,
    )
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(parity);
}
