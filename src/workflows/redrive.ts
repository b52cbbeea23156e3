import { ApplicationFailure, CancellationScope, continueAsNew, setHandler, workflowInfo } from '@temporalio/workflow';
import type { RedriveRun } from '../lakehouse/quarantine/index.ts';
import { short, working } from './activities.ts';
import { materialize } from './materialize.ts';
import { processChunks } from './process-chunks.ts';
import { canonicalTime } from './range.ts';
import { redriveDetails } from './redrive-details.ts';
import { redriveProgress } from './redrive-messages.ts';
import type { RedriveInput, RedriveProgress, RedriveResult, RedriveState } from './redrive-messages.ts';
import { settleBatches } from './settle-batches.ts';
import { enterStage, tag } from './visibility.ts';

const MAX_ENTRIES = 100_000;

/** Pages of one history: each takes some dozens of events. */
const PAGES_PER_HISTORY = 20;

/**
 * Workflow `redrive/<source>`: counts what is in quarantine, processes the partitions of what the current contract accepts again,
 * marks that as re-driven, and makes Gold once. Running it again finds nothing left.
 */
export async function redrive(input: RedriveInput): Promise<RedriveResult> {
  const { source, dryRun = false } = input;
  let known = input.state;
  setHandler(redriveProgress, () => progressOf(known), { description: 'how far it is' });
  tag({ source, kind: 'redrive', stage: 'plan' }, `**${source}**: counts what is in quarantine`);
  const state = (known ??= await plan(input));
  const { range } = state.plan;
  if (dryRun || !range) {
    enterStage('done', redriveDetails(state, dryRun ? 'only counted' : 'nothing to do'));
    return resultOf(state, dryRun);
  }
  const { workflowId, firstExecutionRunId: runId } = workflowInfo();
  await short.acquireLease({ source, lease: { range, workflowId, runId } });
  let goesOn = false;
  try {
    goesOn = await processPages(state, { workflowId, runId, by: input.by ?? 'unknown' }, source);
    if (!goesOn) return await finish(state, source);
  } finally {
    if (!goesOn) await CancellationScope.nonCancellable(() => short.releaseLease({ source, workflowId, runId }));
  }
  return continueAsNew<typeof redrive>({ ...input, state });
}

async function plan(input: RedriveInput): Promise<RedriveState> {
  const { source, filter = {}, dryRun = false, maxEntries = MAX_ENTRIES } = input;
  const { hash, uri, table } = await short.resolveContract({ source });
  const { from, to, ...rest } = filter;
  const canonical = {
    ...rest,
    ...(from === undefined ? {} : { from: canonicalTime(from) }),
    ...(to === undefined ? {} : { to: canonicalTime(to) }),
  };
  const made = await working.planRedrive({ contractUri: uri, filter: canonical, maxEntries, dryRun });
  return {
    contract: { hash, uri, table },
    plan: made,
    page: 0,
    redriven: 0,
    batches: { committed: 0, unchanged: 0, rows: 0 },
    failed: { partitions: 0, first: [] },
  };
}

/** Returns whether pages are left for the next history. */
async function processPages(state: RedriveState, run: RedriveRun, source: string): Promise<boolean> {
  const end = Math.min(state.plan.pages, state.page + PAGES_PER_HISTORY);
  for (; state.page < end; state.page += 1) {
    enterStage('process', redriveDetails(state, `page ${state.page + 1} of ${state.plan.pages}`));
    await processPage(state, run, source);
  }
  return state.page < state.plan.pages;
}

async function processPage(state: RedriveState, run: RedriveRun, source: string): Promise<void> {
  const { contract, page } = state;
  const of = { contractUri: contract.uri, pageUri: `${state.plan.folder}/${page}.json` };
  const chunks = await working.prepareRedrive({ ...of, run: run.runId });
  const { published, failed } = await processChunks(chunks, contract.uri);
  const settled = await settleBatches(published, contract);
  state.batches.committed += settled.committed;
  state.batches.unchanged += settled.unchanged;
  state.batches.rows += settled.rows;
  if (failed.length) await short.recordFailures({ source, failed, run: workflowInfo().runId });
  state.failed.partitions += failed.length;
  state.failed.first.push(...failed.map(({ partition, code }) => `${partition} (${code})`));
  state.failed.first.splice(50);
  const names = failed.map(({ partition }) => partition);
  state.redriven += await working.markRedriven({ ...of, page, failed: names, run });
}

async function finish(state: RedriveState, source: string): Promise<RedriveResult> {
  enterStage('materialize', redriveDetails(state, 'materializes Gold'));
  const gold = await materialize({ source });
  const { partitions, first } = state.failed;
  if (partitions)
    throw ApplicationFailure.nonRetryable(
      `${partitions} partitions failed, everything else is re-driven: ${first.slice(0, 10).join(', ')}`,
      'CUP_PARTITIONS_FAILED',
      { failed: first },
    );
  enterStage('done', redriveDetails(state, 'done'));
  return { ...resultOf(state, false), gold };
}

function resultOf(
  { contract, plan: { counts, left }, redriven, batches }: RedriveState,
  dryRun: boolean,
): RedriveResult {
  return { dryRun, contractHash: contract.hash, counts, left, redriven, batches };
}

function progressOf(state: RedriveState | undefined): RedriveProgress | null {
  if (!state) return null;
  const { page, plan, redriven } = state;
  return { page, pages: plan.pages, redriven, accepted: plan.counts.accepted };
}
