import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import { short } from '../activities.ts';
import { announce, announceFailure } from '../announce.ts';
import { codeOf } from '../failures.ts';
import { materialize } from '../materialize.ts';
import type { Materialized } from '../materialize.ts';
import { publishAudited } from './audited.ts';
import { handleUpdates } from './control.ts';
import { defaultsOf } from './input.ts';
import type { BackfillSettings } from './input.ts';
import type { BackfillInput, BackfillStatus } from './messages.ts';
import { openBackfill } from './open.ts';
import { show } from './show.ts';
import { beginState } from './state.ts';
import type { BackfillState } from './state.ts';
import { statusOf } from './status.ts';
import { cancelRunning, runWindow } from './window.ts';

/** Refusals that whoever started it is told at once, and nobody else needs to hear of. */
const OWN_REFUSALS = new Set(['CUP_RANGE_LEASED', 'CUP_BACKFILL_REJECTED', 'CUP_RANGE_INVALID', 'CUP_SOURCE_UNKNOWN']);

/** What a backfill did. */
export interface BackfillResult {
  status: BackfillStatus;
  gold: Materialized;
}

/**
 * Workflow `backfill/<source>/<from>/<to>`: plans a range, processes it chunk by chunk through a sliding window of child
 * workflows, proves that all of it is done, and materializes once. What it knows is carried over when its history starts anew.
 */
export async function backfill(input: BackfillInput): Promise<BackfillResult> {
  const settings = defaultsOf(input);
  const state = input.state ?? beginState(settings);
  handleUpdates(settings, state);
  try {
    if (state.phase === 'planning') await openBackfill(settings, state);
    if (await runWindow(settings, state)) return await startAnew(input, state);
    const result = await finish(settings, state);
    await giveBack(settings);
    return result;
  } catch (error) {
    if (!(error instanceof ContinueAsNew)) await CancellationScope.nonCancellable(() => giveUp(settings, state, error));
    throw error;
  }
}

/** Chunks go on by themselves meanwhile: they signal this workflow's id, whichever run has it. */
async function startAnew(input: BackfillInput, state: BackfillState): Promise<never> {
  await condition(allHandlersFinished);
  return continueAsNew<typeof backfill>({ ...input, state });
}

async function giveUp(settings: BackfillSettings, state: BackfillState, error: unknown): Promise<void> {
  if (isCancellation(error)) await cancelRunning(settings, state);
  else if (!OWN_REFUSALS.has(codeOf(error))) await announceFailure(subjectOf(settings), settings.source, error);
  await giveBack(settings);
}

async function giveBack({ source }: BackfillSettings): Promise<void> {
  const { workflowId, firstExecutionRunId: runId } = workflowInfo();
  await short.releaseLease({ source, workflowId, runId });
}

/** What is done is published where it waited for that, proved and materialized, whatever else failed. */
async function finish(settings: BackfillSettings, state: BackfillState): Promise<BackfillResult> {
  const { source } = settings;
  if (settings.publish === 'audited') await publishAudited(settings, state);
  show(settings, state, 'verifying');
  const { firstExecutionRunId: run } = workflowInfo();
  const verified = await short.verifyPlan({ planUri: state.plan.planUri, source, run });
  show(settings, state, 'materializing');
  const gold = await materialize({ source });
  show(settings, state, 'done');
  // Whoever stopped it knows that the rest is open.
  const open = Math.max(state.counts.partitionsFailed, state.stopping ? 0 : verified.open);
  if (open) throw incomplete(open, verified.open ? verified.first : state.failures.map(({ partition }) => partition));
  await announce({ subject: subjectOf(settings), source, state: 'healthy', reason: 'every partition is done' });
  return { status: statusOf(source, state, Date.now()), gold };
}

/** What people know it by. */
const subjectOf = ({ source }: BackfillSettings): string => `backfill/${source}`;

/** Says what is not done, and what to type. */
function incomplete(open: number, first: string[]): ApplicationFailure {
  const named = first.slice(0, 20).join(', ');
  const advice = `to run what failed again: cupel backfill retry ${workflowInfo().workflowId}`;
  const message = `${open} partitions are not done, first ${named}; everything else is committed; ${advice}`;
  return ApplicationFailure.nonRetryable(message, 'CUP_BACKFILL_INCOMPLETE', { open, first });
}
