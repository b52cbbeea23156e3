import { hostname, userInfo } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { cupelError } from '../../errors.ts';
import { redriveId, TASK_QUEUE } from '../../workflows/ids.ts';
import { redriveProgress } from '../../workflows/redrive-messages.ts';
import type { RedriveInput, RedriveResult } from '../../workflows/redrive-messages.ts';
import { answer, progress, progressDone } from '../output.ts';
import { withTemporal } from '../session.ts';
import { addFilter, filterOf } from './quarantine-filter.ts';
import type { FilterOptions } from './quarantine-filter.ts';

const EXAMPLES = `
Examples:
  $ cupel redrive earthquakes --dry-run                       # what is there, and what would be accepted now
  $ cupel redrive earthquakes --reason wrong_type --from 2025-05-04 --to 2025-05-05
  $ cupel redrive networks --max 1000 --json

The same by Temporal's own command line:
  $ temporal workflow start --type redrive --task-queue cupel --workflow-id redrive/earthquakes \\
      --input '{"source":"earthquakes","filter":{"reasons":["wrong_type"]}}'`;

type Redrive = (input: RedriveInput) => Promise<RedriveResult>;

const LOOK_EVERY_MS = 1_000;

/** Partitions that are shown to a person; `--json` has more. */
const SHOWN = 20;

function linesOf({ counts, redriven, left, batches, gold, dryRun }: RedriveResult): string[] {
  const row = (name: string, of: { quarantined: number; accepted: number }): string =>
    `${name.padEnd(32)} ${String(of.quarantined).padStart(13)} ${String(of.accepted).padStart(13)}`;
  const rest = counts.partitions - SHOWN;
  const found = [
    `${''.padEnd(32)} ${'in quarantine'.padStart(13)} ${'accepted now'.padStart(13)}`,
    ...counts.byReason.map((of) => row(of.reasonCode, of)),
    ...counts.byPartition.slice(0, SHOWN).map((of) => row(of.partition, of)),
    ...(rest > 0 ? [`and ${rest} more partitions`] : []),
    row('together', counts),
  ];
  if (dryRun) return [...found, 'nothing was changed: a dry run'];
  return [
    ...found,
    `re-driven ${redriven}, left for another run ${left}: ${batches.committed} batches committed, ${batches.unchanged} unchanged, Gold ${gold?.state ?? 'as it was'}`,
  ];
}

/** @throws CupelError CUP_REDRIVE_RUNNING: another run may have another filter, so it is not joined */
async function start(client: Client, input: RedriveInput): Promise<WorkflowHandle<Redrive>> {
  const workflowId = redriveId(input.source, input.dryRun);
  try {
    return await client.workflow.start<Redrive>('redrive', { workflowId, taskQueue: TASK_QUEUE, args: [input] });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError)
      throw cupelError('CUP_REDRIVE_RUNNING', { workflow: workflowId }, error);
    throw error;
  }
}

/** Shows how it goes on until it ends. Ending the command leaves the workflow alone. */
async function follow(handle: WorkflowHandle<Redrive>): Promise<RedriveResult> {
  const ended = new AbortController();
  const result = handle.result().finally(() => ended.abort());
  result.catch(() => undefined); // awaited below
  let said = '';
  while (!ended.signal.aborted) {
    const at = await handle.query(redriveProgress).catch(() => null);
    const line = at
      ? `${handle.workflowId}: ${at.redriven} of ${at.accepted} re-driven, page ${at.page} of ${at.pages}`
      : `${handle.workflowId} counts`;
    if (line !== said) progress((said = line));
    await delay(LOOK_EVERY_MS, undefined, { signal: ended.signal }).catch(() => undefined);
  }
  progressDone();
  return result;
}

interface Options extends FilterOptions {
  dryRun?: boolean;
  max?: string;
  json?: boolean;
}

/** `cupel redrive SOURCE`: takes refused records again under the current contract. */
export function redriveCommand(program: Command): void {
  const command = program
    .command('redrive')
    .description('process what is in quarantine again, under the current contract')
    .argument('<source>', 'name of a contract');
  addFilter(command)
    .option('--dry-run', 'only count')
    .option('--max <entries>', 'take at most so many refused records, whole partitions. Default 100,000')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, options: Options) => {
      const { dryRun = false, max } = options;
      const maxEntries = max === undefined ? undefined : Number(max);
      if (maxEntries !== undefined && !(Number.isInteger(maxEntries) && maxEntries > 0))
        throw new Error(`--max: expected a whole number above 0, found ${max}`);
      const by = `${userInfo().username}@${hostname()}`;
      const input = { source, filter: filterOf(options), dryRun, by, ...(maxEntries ? { maxEntries } : {}) };
      const result = await withTemporal(async (client) => follow(await start(client, input)));
      answer(options, result, linesOf(result));
    });
}
