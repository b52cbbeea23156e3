import { CancellationScope, condition, workflowInfo } from '@temporalio/workflow';
import { short } from '../activities.ts';
import type { RefusedBatch } from '../committer.ts';
import { settleGroup } from '../settle-batches.ts';
import type { BackfillSettings } from './input.ts';
import { refresh } from './show.ts';
import { batchesAreSettled } from './state.ts';
import type { BackfillState } from './state.ts';

/** Batches handed on together: as many as the committer takes into one snapshot. */
const GROUP = 200;

/** Batches that come within this of the first one share its snapshot: a table has few of them, and each costs a commit. */
const GATHER = '2 seconds';

/**
 * Hands the batches of chunks that have ended to the committer, all that wait at a time, until `done`. A commit cannot be
 * called back, so cancelling the backfill does not stop this: what was handed on is waited for and entered.
 */
export async function settlePending(
  settings: BackfillSettings,
  state: BackfillState,
  done: () => boolean,
): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    for (;;) {
      await condition(() => state.pending.length > 0 || done());
      if (!state.pending.length) return;
      if (state.running.length) await condition(() => !state.running.length || waiting(state).length >= GROUP, GATHER);
      const batchIds = waiting(state).slice(0, GROUP);
      const { outcomes, refusals } = await settleGroup(batchIds, state.contract);
      if (refusals.length) await recordRefusals(settings, state, refusals);
      const rows = new Map([...outcomes.values()].map((outcome) => [outcome.batchId, outcome.rows]));
      batchesAreSettled(state, rows, new Map(refusals.map(({ batchId, code }) => [batchId, code])));
      refresh(settings, state);
    }
  });
}

const waiting = ({ pending }: BackfillState): string[] =>
  pending.flatMap(({ batches }) => batches.map(({ batchId }) => batchId));

/** Enters the chunks of refused batches as failed, as far as the ledger does not know them as done. */
async function recordRefusals(
  { source }: BackfillSettings,
  { pending, plan }: BackfillState,
  refusals: RefusedBatch[],
): Promise<void> {
  const codes = new Map(refusals.map(({ batchId, code }) => [batchId, code]));
  const { runId: run } = workflowInfo();
  for (const { reference, batches } of pending) {
    const code = batches.map(({ batchId }) => codes.get(batchId)).find((found) => found !== undefined);
    if (code) await short.recordChunkFailure({ planUri: plan.planUri, source, reference, code, run });
  }
}
