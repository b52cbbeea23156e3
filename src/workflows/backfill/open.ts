import { workflowInfo } from '@temporalio/workflow';
import { backfilling, short } from '../activities.ts';
import { tag } from '../visibility.ts';
import type { BackfillSettings } from './input.ts';
import type { BackfillState } from './state.ts';

/** Resolves the contract once, takes the range, and plans it. */
export async function openBackfill(settings: BackfillSettings, state: BackfillState): Promise<void> {
  const { source, reprocess, chunkBytes, mode } = settings;
  state.contract = await short.resolveContract({ source });
  const contractUri = state.contract.uri;
  const range = await short.resolveRange({ contractUri, from: settings.from, to: settings.to });
  Object.assign(state, range);
  tag({ source, kind: 'backfill', stage: 'plan', range }, `**${source}** ${range.from} → ${range.to}: plans`);
  const { workflowId, firstExecutionRunId: runId } = workflowInfo();
  await short.acquireLease({ source, lease: { range, workflowId, runId } });
  state.inOrder = settings.dependsOnPast ?? state.contract.dependsOnPast ?? false;
  if (state.inOrder) state.maxConcurrency = 1;
  const order = state.inOrder ? 'oldest' : settings.order;
  state.plan = await backfilling.planBackfill({ ...range, contractUri, reprocess, order, chunkBytes, mode });
  state.phase = 'running';
  state.startedAt = Date.now();
  state.sweptAt = state.startedAt;
}
