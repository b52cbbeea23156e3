import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { OpenedShadow } from '../activities/parity.ts';
import { short, working } from './activities.ts';
import { settlePresent, verdictOf } from './parity-rounds.ts';
import { parityDetails } from './parity-details.ts';
import type { ParityInput, ParityResult } from './parity-messages.ts';
import { recompute } from './parity-recompute.ts';
import { canonicalRange } from './range.ts';
import type { Range } from './range.ts';
import { enterStage, tag } from './visibility.ts';

/** Seconds that a source whose stream runs is given to get what landed before: an archive of messages is closed after minutes. */
const STREAM_PATIENCE_SECONDS = 600;

/**
 * Workflow `parity/<source>`: computes a range again from Bronze in batch, by the ordinary jobs and the committer's own code, into a
 * shadow table, and compares every column with the table that stream or pipelines wrote. Changes nothing but the shadow, which is
 * dropped however the run ends.
 */
export async function parity(input: ParityInput): Promise<ParityResult> {
  const { source } = input;
  const { from, to } = input;
  const whole = from === undefined && to === undefined;
  const range = whole ? undefined : canonicalRange({ from: from ?? '', to: to ?? '' });
  tag({ source, kind: 'parity', stage: 'plan', ...(range ? { range } : {}) }, parityDetails(source, range, 'plans'));
  const { workflowId, firstExecutionRunId: runId } = workflowInfo();
  const shadow = await short.openShadow({ source, run: { workflowId, runId } });
  try {
    return await compare(input, shadow, range);
  } finally {
    await CancellationScope.nonCancellable(() => working.dropShadow({ shadow }));
  }
}

async function compare(input: ParityInput, shadow: OpenedShadow, range?: Range): Promise<ParityResult> {
  const { source } = input;
  const patience = input.patienceSeconds ?? (shadow.streamed ? STREAM_PATIENCE_SECONDS : 0);
  enterStage('process', parityDetails(source, range, `computes **${shadow.table}** from Bronze`));
  const first = await recompute(shadow, range);
  enterStage('settle', parityDetails(source, range, `waits for batches of **${shadow.of}**`));
  const unsettled = await settlePresent(shadow.of);
  enterStage('verify', parityDetails(source, range, `compares **${shadow.of}** with **${shadow.table}**`));
  const { compared, recomputed, rounds, silver } = await verdictOf({
    shadow,
    first,
    patience,
    ...(range ? { range } : {}),
  });
  const result: ParityResult = {
    source,
    table: shadow.of,
    shadow: shadow.table,
    contractHash: shadow.contractHash,
    range: range ?? null,
    silverSnapshotId: silver,
    objects: recomputed.objects,
    refusedObjects: recomputed.refused,
    batches: recomputed.batches,
    failed: recomputed.failed,
    unsettled,
    rounds,
    keys: compared.keys,
    counts: compared.counts,
    differences: compared.total,
    reportUri: compared.total ? compared.reportUri : null,
    equal: compared.total === 0 && recomputed.failed.length === 0,
  };
  enterStage('done', parityDetails(source, range, 'done', result));
  return result;
}
