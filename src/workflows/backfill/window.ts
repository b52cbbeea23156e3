import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  condition,
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  startChild,
  workflowInfo,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import type { ChunkReference } from '../../lakehouse/planning/plan-store.ts';
import { short } from '../activities.ts';
import { messageOf } from '../failures.ts';
import { BACKFILL_TASK_QUEUE, chunkId } from '../ids.ts';
import { PARTITION, RUN_KIND, SOURCE } from '../search-attributes.ts';
import type { backfillChunk, ChunkInput } from './chunk.ts';
import type { BackfillSettings } from './input.ts';
import { refresh, show } from './show.ts';
import { settlePending } from './settle.ts';
import { chunkHasEnded, hasNext } from './state.ts';
import type { BackfillState } from './state.ts';

/** Chunks of one page of the plan: as the activity answers. */
const PAGE = 200;

/** Events after which the history starts anew: what is in flight then still fits below 4,000. */
const MAX_EVENTS = 2_500;

/** Between two looks at what runs: a child that was terminated never signals. */
const SWEEP_EVERY_MS = 10 * 60_000;

/** Chunks that may wait for the committer: what is carried over stays small. */
const MAX_PENDING = 400;

/** Between two looks at the quota of jobs. */
const QUOTA_EVERY_MS = 60_000;

/** The part of a plan that is read, and what the quota leaves: known to one run only. */
interface Window {
  page: { number: number; references: ChunkReference[] };
  /** Most chunks that the quota allowed at once when it was last looked at. */
  quota: { chunks: number; at: number };
  /** Whether a chunk of this run ended otherwise than by its own word: it is looked at without waiting for the sweep. */
  suspicious: boolean;
}

/**
 * Keeps at most so many chunks running until none is left.
 *
 * @returns whether the history is to start anew before the rest
 */
export async function runWindow(settings: BackfillSettings, state: BackfillState): Promise<boolean> {
  if (state.phase !== 'running') return false;
  show(settings, state, 'running');
  const window: Window = { page: { number: -1, references: [] }, quota: { chunks: 0, at: 0 }, suspicious: false };
  if (state.running.length) await settleClosed(settings, state);
  const settling = settlePending(settings, state, () => isOver(state));
  settling.catch(() => undefined); // awaited below
  while (!isFull() && !isOver(state)) {
    if (wants(state)) await lookAtQuota(state, window);
    if (places(state, window) > 0) await startSome(settings, state, window);
    const running = state.running.length;
    const moved = (): boolean =>
      state.running.length < running || places(state, window) > 0 || isOver(state) || isFull() || window.suspicious;
    const until = lookAgainAt(state, window);
    await condition(moved, Math.max(1_000, until - Date.now()));
    if (window.suspicious || Date.now() - state.sweptAt >= SWEEP_EVERY_MS) await settleClosed(settings, state);
    window.suspicious = false;
  }
  if (!isOver(state)) return true; // what is pending is handed on again by the next run
  await settling;
  return false;
}

const isFull = (): boolean => workflowInfo().historyLength > MAX_EVENTS || workflowInfo().continueAsNewSuggested;

/** No chunk is started after one that failed where each depends on the one before. */
const isBlocked = (state: BackfillState): boolean => state.inOrder && state.failedChunks.length > 0;

/** Whether there is something to start, and nobody forbids it. */
function wants(state: BackfillState): boolean {
  return hasNext(state) && !state.paused && !state.stopping && !isBlocked(state);
}

function isOver(state: BackfillState): boolean {
  if (state.running.length || state.pending.length) return false;
  return state.stopping || isBlocked(state) || (!state.paused && !hasNext(state));
}

/** Chunks that may be started now. */
function places(state: BackfillState, { quota }: Window): number {
  if (!wants(state) || state.pending.length >= MAX_PENDING || (state.inOrder && state.pending.length)) return 0;
  return Math.min(state.maxConcurrency, quota.chunks) - state.running.length;
}

/** When to look again where nobody says anything: at the quota if it holds chunks back, else at what runs. */
function lookAgainAt(state: BackfillState, { quota }: Window): number {
  const sweep = state.sweptAt + SWEEP_EVERY_MS;
  return wants(state) && quota.chunks <= state.running.length ? Math.min(sweep, quota.at + QUOTA_EVERY_MS) : sweep;
}

async function lookAtQuota(state: BackfillState, window: Window): Promise<void> {
  if (Date.now() - window.quota.at < QUOTA_EVERY_MS) return;
  const free = await short.freeDataflowJobs();
  window.quota = { chunks: free + state.running.length, at: Date.now() };
}

async function startSome(settings: BackfillSettings, state: BackfillState, window: Window): Promise<void> {
  const starting: Promise<void>[] = [];
  while (places(state, window) > 0) {
    const again = state.retries.shift();
    const reference = again ?? (await nextOfPlan(state, window));
    const chunk = { workflowId: chunkId(workflowInfo().workflowId, reference.first), reference };
    state.running.push(chunk);
    starting.push(startChunk(settings, state, window, chunk, again !== undefined));
  }
  await Promise.all(starting);
  refresh(settings, state);
}

async function nextOfPlan(state: BackfillState, window: Window): Promise<ChunkReference> {
  const number = Math.floor(state.cursor / PAGE);
  if (window.page.number !== number) {
    const references = await short.readPlanPage({ planUri: state.plan.planUri, page: number });
    window.page = { number, references };
  }
  const reference = window.page.references[state.cursor % PAGE];
  if (!reference) throw new Error(`the plan has no chunk ${state.cursor}`);
  state.cursor += 1;
  return reference;
}

async function startChunk(
  settings: BackfillSettings,
  state: BackfillState,
  window: Window,
  { workflowId, reference }: { workflowId: string; reference: ChunkReference },
  secondTime: boolean,
): Promise<void> {
  const { workflowId: backfill, firstExecutionRunId: runId } = workflowInfo();
  const input: ChunkInput = {
    source: settings.source,
    contract: state.contract,
    planUri: state.plan.planUri,
    reference,
    backfill: { workflowId: backfill, runId },
    // Where everything is processed anew, what was done before is no reason to leave it out; a run that pulls asks anew.
    ...(settings.reprocess === 'all' || settings.mode === 'pull'
      ? { again: runId }
      : secondTime
        ? { openOnly: true }
        : {}),
    ...(settings.publish === 'audited' ? { audited: true } : {}),
  };
  try {
    const chunk = await startChild<typeof backfillChunk>('backfillChunk', {
      workflowId,
      args: [input],
      taskQueue: BACKFILL_TASK_QUEUE,
      // It outlives this run, which may start anew at any time; it looks by itself whether the backfill still runs.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      typedSearchAttributes: [
        { key: SOURCE, value: settings.source },
        { key: RUN_KIND, value: 'chunk' },
        { key: PARTITION, value: reference.first },
      ],
      staticSummary: `${reference.partitions} partitions from ${reference.first}`,
    });
    chunk.result().catch(() => (window.suspicious = true));
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** Describes what runs and takes note of what has ended without saying so. */
export async function settleClosed(settings: BackfillSettings, state: BackfillState): Promise<void> {
  const workflowIds = state.running.map(({ workflowId }) => workflowId);
  const outcomes = workflowIds.length ? await short.endedChunks({ workflowIds }) : [];
  for (const { workflowId, outcome, status } of outcomes) {
    const chunk = state.running.find((running) => running.workflowId === workflowId);
    if (!chunk) continue;
    const { reference } = chunk;
    const failures = [{ partition: reference.first, code: `the workflow was ${status}` }];
    const lost = { chunk: reference.chunk, batches: [], done: 0, failed: reference.partitions, failures };
    chunkHasEnded(state, outcome ?? { ...lost, state: 'failed' });
  }
  state.sweptAt = Date.now();
  refresh(settings, state);
}

/** Cancels what runs, and waits until it has ended: a job is never left behind. What was processed before is committed. */
export async function cancelRunning(settings: BackfillSettings, state: BackfillState): Promise<void> {
  state.stopping = true;
  await Promise.all(state.running.map(({ workflowId }) => cancelChunk(workflowId)));
  while (state.running.length) {
    if (!(await condition(() => !state.running.length, '1 minute'))) await settleClosed(settings, state);
  }
  await settlePending(settings, state, () => !state.pending.length);
}

async function cancelChunk(workflowId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).cancel();
  } catch (error) {
    log.info('a chunk has ended by itself', { workflowId, reason: messageOf(error) });
  }
}
