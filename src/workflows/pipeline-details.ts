import type { PlanSummary } from '../activities/plans.ts';
import type { Range } from './range.ts';

/** What Temporal's Web UI shows of a run, in markdown. */
export function pipelineDetails(range: Range, now: string, plan?: PlanSummary): string {
  const lines = [`**${range.from} → ${range.to}**`, '', now];
  if (plan) {
    lines.push('', `| objects | partitions | done already | missing slots |`, '| --- | --- | --- | --- |');
    lines.push(`| ${plan.objects} | ${plan.partitions} | ${plan.donePartitions} | ${plan.missingSlots} |`);
  }
  return lines.join('\n');
}
