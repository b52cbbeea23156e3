import type { Command } from 'commander';
import { loadContract } from '../../../lakehouse/contract-store.ts';
import { estimateCost, readPrices } from '../../../lakehouse/planning/estimate.ts';
import type { CostEstimate } from '../../../lakehouse/planning/estimate.ts';
import { resolveRange } from '../../../lakehouse/planning/local-days.ts';
import { makePlan } from '../../../lakehouse/planning/plan.ts';
import type { Plan } from '../../../lakehouse/planning/plan.ts';
import type { PlanLine } from '../../../lakehouse/planning/plan-store.ts';
import { readableBytes } from '../../../workflows/backfill/status.ts';
import { answer } from '../../output.ts';
import { withResources } from '../../session.ts';
import { planOptions } from './options.ts';
import type { BackfillOptions } from './options.ts';

/** Bytes per chunk where nobody says anything: as the workflow does. */
const CHUNK_BYTES = 2 * 2 ** 30;

function lineOf({ partition, state, why, objects, bytes, rows, chunk }: PlanLine): string {
  const job = chunk === null ? '-' : `job ${chunk + 1}`;
  const known = rows === null ? '' : ` ${rows} records`;
  return `${state.padEnd(8)} ${job.padEnd(9)} ${partition.padEnd(28)} ${String(objects).padStart(5)} objects ${readableBytes(bytes).padStart(10)}${known}  ${why}`;
}

/** The plan as people read it: what is to be done first, the sums last. */
export function planLines({ lines, index }: Pick<Plan, 'lines' | 'index'>, cost: CostEstimate, all: boolean): string[] {
  const shown = lines.filter((line) => all || line.state !== 'done' || line.chunk !== null);
  const { byState, toProcess, missingSlots } = index.totals;
  const states = Object.entries(byState)
    .filter(([, total]) => total.partitions > 0)
    .map(([state, total]) => `${total.partitions} ${state}`);
  const hidden = lines.length - shown.length;
  return [
    ...shown.map(lineOf),
    ...(hidden ? [`(${hidden} partitions that are done: --all shows them)`] : []),
    '',
    `range      ${index.from} to ${index.to}`,
    `partitions ${states.join(', ') || 'none'}; ${missingSlots} slots of the schedule have no object`,
    `to process ${toProcess.partitions} partitions, ${toProcess.objects} objects, ${readableBytes(toProcess.bytes)} in ${cost.jobs} jobs`,
    `estimate   ${cost.total} ${cost.currency}: ${cost.workerHours} worker hours ${cost.dataflow}, requests ${cost.storage} (prices.yaml)`,
  ];
}

/** `cupel backfill plan`: what a backfill would do. Reads only. */
export function planCommand(backfill: Command): void {
  planOptions(backfill.command('plan'))
    .description('print the exact list of partitions, jobs and an estimate of the cost; change nothing')
    .option('--all', 'also the partitions that are done')
    .option('--json', 'answer with JSON')
    .action(async (source: string, options: BackfillOptions & { all?: boolean; json?: boolean }) =>
      withResources(async (resources) => {
        const { contractsDirectory, buckets, pricesFile } = resources.environment;
        const contract = await loadContract(contractsDirectory, source);
        const range = resolveRange(options.from, options.to, contract.timeZone);
        const plan = await makePlan(resources, buckets, contract, {
          range: { from: new Date(range.from), to: new Date(range.to) },
          mode: options.mode ?? 'replay',
          reprocess: options.reprocess ?? 'stale',
          order: options.order ?? 'oldest',
          chunkBytes: options.chunkBytes ?? CHUNK_BYTES,
        });
        const cost = estimateCost(await readPrices(pricesFile), plan.index.totals);
        const partitions = plan.lines.map(({ members: _members, ...line }) => line);
        answer(
          options,
          { ...range, totals: plan.index.totals, cost, partitions },
          planLines(plan, cost, options.all === true),
        );
      }),
    );
}
