import { CancellationScope, isCancellation, log, setCurrentDetails, sleep, workflowInfo } from '@temporalio/workflow';
import type { ContractReference } from '../../activities/contracts.ts';
import type { FailedPartition } from '../../lakehouse/planning/chunks.ts';
import type { ChunkReference } from '../../lakehouse/planning/plan-store.ts';
import { quick, short, working } from '../activities.ts';
import { codeOf, messageOf } from '../failures.ts';
import { processChunk } from '../process-chunk.ts';
import type { ChunkOutcome } from './messages.ts';

/** A chunk of a backfill. */
export interface ChunkInput {
  source: string;
  contract: ContractReference;
  planUri: string;
  reference: ChunkReference;
  /** The backfill and its first run: the token that lets the chunk work. When it is closed, the chunk stops. */
  backfill: { workflowId: string; runId: string };
  /** Leave out what is done by now. */
  openOnly?: boolean;
  /** Process anew what is done already, or pull, as a batch of this run. */
  again?: string;
  /** Audited: remember the batches and commit none. */
  audited?: boolean;
}

/** Between two looks at whether the backfill still runs. */
const LOOK_AT_BACKFILL = '10 minutes';

/** Failures told to the backfill; the ledger has all. */
const TOLD_FAILURES = 20;

/**
 * Workflow `<backfill>/<first partition>`: verifies one chunk of a plan and processes it. It never commits, so one that nobody
 * waits for can do no harm. It outlives the backfill's runs, so it tells how it ended by a signal.
 */
export async function backfillChunk(input: ChunkInput): Promise<ChunkOutcome> {
  const { reference } = input;
  setCurrentDetails(`${reference.partitions} partitions from **${reference.first}**`);
  let outcome: ChunkOutcome;
  try {
    outcome = await whileBackfillRuns(input, () => run(input));
  } catch (error) {
    outcome = isCancellation(error) ? ended(reference, 'cancelled') : await failWhole(input, error);
  }
  // By the client: a signal from here would cost a workflow task more.
  await CancellationScope.nonCancellable(() => quick.tellBackfill({ workflowId: input.backfill.workflowId, outcome }));
  return outcome;
}

function ended(reference: ChunkReference, state: ChunkOutcome['state']): ChunkOutcome {
  const failures = state === 'cancelled' ? [{ partition: reference.first, code: 'cancelled' }] : [];
  return { chunk: reference.chunk, state, batches: [], done: 0, failed: 0, failures };
}

/** A chunk whose backfill is closed must stop: nobody holds the range for it any more. */
async function whileBackfillRuns<T>(input: ChunkInput, work: () => Promise<T>): Promise<T> {
  const working = new CancellationScope();
  const watching = new CancellationScope();
  const watch = watching.run(async () => {
    do await sleep(LOOK_AT_BACKFILL);
    while (await quick.isRunning(input.backfill));
    working.cancel();
  });
  watch.catch((error: unknown) => {
    if (!isCancellation(error)) log.warn('the backfill cannot be looked at', { reason: messageOf(error) });
  });
  try {
    return await working.run(work);
  } finally {
    watching.cancel();
  }
}

async function run(input: ChunkInput): Promise<ChunkOutcome> {
  const { contract, planUri, reference, openOnly, again, source } = input;
  // What the ledger knows as verified is a matter of milliseconds; else every object is read.
  const { prepareChunk } = reference.unverified || openOnly ? working : quick;
  const prepared = await prepareChunk({
    planUri,
    reference,
    contractUri: contract.uri,
    ...(openOnly ? { openOnly } : {}),
    ...(again ? { again } : {}),
  });
  const processed = prepared.chunk ? await processChunk(prepared.chunk, contract.uri) : { published: [], failed: [] };
  const { published, failed } = processed;
  if (failed.length) await quick.recordFailures({ source, failed, run: workflowInfo().runId });
  const batches = published.map(({ batchId, partitions }) => ({ batchId, partitions }));
  const outcome = outcomeOf(reference, failed, { done: prepared.done, batches });
  return input.audited ? remember(input, outcome) : outcome;
}

/** An audit takes up all batches at the end: the backfill itself could not carry them. */
async function remember({ backfill }: ChunkInput, outcome: ChunkOutcome): Promise<ChunkOutcome> {
  const batchIds = outcome.batches.map(({ batchId }) => batchId);
  await short.rememberBatches({ backfill, batchIds });
  const processed = outcome.batches.reduce((sum, { partitions }) => sum + partitions, 0);
  return { ...outcome, batches: [], done: outcome.done + processed };
}

function outcomeOf(
  { chunk }: ChunkReference,
  failed: FailedPartition[],
  made: Pick<ChunkOutcome, 'done' | 'batches'>,
): ChunkOutcome {
  return {
    chunk,
    state: failed.length ? 'failed' : 'processed',
    ...made,
    failed: failed.length,
    failures: failed.slice(0, TOLD_FAILURES).map(({ partition, code }) => ({ partition, code })),
  };
}

/** What is no failure of single partitions fails the chunk as a whole; the table is asked by the next attempt. */
async function failWhole(input: ChunkInput, error: unknown): Promise<ChunkOutcome> {
  const { reference, planUri, source } = input;
  log.warn('a chunk failed', { first: reference.first, code: codeOf(error), reason: messageOf(error) });
  await short.recordChunkFailure({ planUri, source, reference, code: codeOf(error), run: workflowInfo().runId });
  const failures = [{ partition: reference.first, code: codeOf(error) }];
  return { ...ended(reference, 'failed'), failed: reference.partitions, failures };
}
