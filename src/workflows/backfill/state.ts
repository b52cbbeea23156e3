import type { ContractReference } from '../../activities/contracts.ts';
import type { PlanHead } from '../../activities/plans.ts';
import type { ChunkReference } from '../../lakehouse/planning/plan-store.ts';
import type { BackfillSettings } from './input.ts';
import type { ChunkOutcome, Failure } from './messages.ts';

/** A chunk that runs. */
export interface RunningChunk {
  workflowId: string;
  reference: ChunkReference;
}

/** A chunk whose batches wait for the committer's answer. */
export interface PendingChunk {
  workflowId: string;
  reference: ChunkReference;
  batches: ChunkOutcome['batches'];
  /** Whether some of its partitions failed: then it is run again with the failed ones. */
  failed: boolean;
  /** Whether it is in line again: then its next attempt counts all of its partitions, and these answers count none. */
  again?: true;
}

/** All that a backfill knows, carried over when its history starts anew: never the plan itself. */
export interface BackfillState {
  phase:
    'planning' | 'running' | 'auditing' | 'awaiting approval' | 'publishing' | 'verifying' | 'materializing' | 'done';
  from: string;
  to: string;
  contract: ContractReference;
  plan: PlanHead;
  /** The next chunk of the plan. */
  cursor: number;
  /** Chunks to run again, before the next one. */
  retries: ChunkReference[];
  running: RunningChunk[];
  /** Answers that are still to come. */
  pending: PendingChunk[];
  failedChunks: ChunkReference[];
  counts: { chunksDone: number; partitionsDone: number; partitionsFailed: number; bytesDone: number; rows: number };
  /** The last failures, newest last. */
  failures: Failure[];
  maxConcurrency: number;
  /** Each chunk depends on the one before. */
  inOrder: boolean;
  paused?: { reason: string; at: number };
  stopping: boolean;
  /** When work began, and how long it was paused: milliseconds of Temporal's clock. */
  startedAt: number;
  pausedMs: number;
  /** When running chunks were last looked at. */
  sweptAt: number;
  audit?: {
    table: string;
    dataset: string;
    checks: 'not run' | 'passed' | 'failed';
    decision?: 'approved' | 'rejected';
  };
}

/** Failures kept for people; the ledger keeps all. */
const KEPT_FAILURES = 50;

const NOTHING = { partitions: 0, objects: 0, bytes: 0 };

const NO_PLAN: PlanHead = {
  planUri: '',
  totals: {
    byState: { missing: NOTHING, failed: NOTHING, gap: NOTHING, stale: NOTHING, done: NOTHING },
    missingSlots: 0,
    toProcess: NOTHING,
    chunks: 0,
  },
  cost: { currency: '', jobs: 0, workerHours: 0, dataflow: 0, storage: 0, total: 0 },
};

/** The state of a backfill that begins: nothing is planned yet. */
export function beginState({
  from,
  to,
  maxConcurrency,
}: Pick<BackfillSettings, 'from' | 'to' | 'maxConcurrency'>): BackfillState {
  return {
    phase: 'planning',
    from,
    to,
    contract: { hash: '', uri: '', table: '' },
    plan: NO_PLAN,
    cursor: 0,
    retries: [],
    running: [],
    pending: [],
    failedChunks: [],
    counts: { chunksDone: 0, partitionsDone: 0, partitionsFailed: 0, bytesDone: 0, rows: 0 },
    failures: [],
    maxConcurrency,
    inOrder: false,
    stopping: false,
    startedAt: 0,
    pausedMs: 0,
    sweptAt: 0,
  };
}

/** Takes note of a chunk that ended; one that does not run is known already. */
export function chunkHasEnded(state: BackfillState, outcome: ChunkOutcome): void {
  const ended = state.running.find(({ reference }) => reference.chunk === outcome.chunk);
  if (!ended) return;
  const { workflowId, reference } = ended;
  state.running = state.running.filter((chunk) => chunk !== ended);
  state.counts.partitionsDone += outcome.done;
  // One that was cancelled or terminated by itself has done nothing that anybody knows of: it counts as failed.
  const lost = outcome.state === 'cancelled';
  const failed = lost ? reference.partitions : outcome.failed;
  if (failed) takeFailure(state, ended, failed, outcome.failures);
  if (outcome.batches.length)
    state.pending.push({ workflowId, reference, batches: outcome.batches, failed: failed > 0 });
  else if (!failed) chunkIsDone(state, reference);
}

function takeFailure(
  state: BackfillState,
  { workflowId, reference }: RunningChunk,
  partitions: number,
  failures: ChunkOutcome['failures'],
): void {
  state.counts.partitionsFailed += partitions;
  if (!state.failedChunks.some(({ chunk }) => chunk === reference.chunk)) state.failedChunks.push(reference);
  state.failures = [...state.failures, ...failures.map((failure) => ({ ...failure, workflowId }))].slice(
    -KEPT_FAILURES,
  );
}

function chunkIsDone(state: BackfillState, reference: ChunkReference): void {
  state.counts.chunksDone += 1;
  state.counts.bytesDone += reference.bytes;
}

/**
 * Takes note of the committer's answers.
 *
 * @param rows by batch that was settled
 * @param refused code by batch that was refused
 */
export function batchesAreSettled(
  state: BackfillState,
  rows: ReadonlyMap<string, number>,
  refused: ReadonlyMap<string, string>,
): void {
  for (const chunk of state.pending) {
    for (const { batchId, partitions } of chunk.batches) {
      const code = refused.get(batchId);
      if (chunk.again) {
        state.counts.rows += rows.get(batchId) ?? 0;
      } else if (code !== undefined) {
        takeFailure(state, chunk, partitions, [{ partition: chunk.reference.first, code }]);
        chunk.failed = true;
      } else if (rows.has(batchId)) {
        state.counts.partitionsDone += partitions;
        state.counts.rows += rows.get(batchId) ?? 0;
      }
    }
    chunk.batches = chunk.batches.filter(({ batchId }) => !rows.has(batchId) && !refused.has(batchId));
    if (!chunk.batches.length && !chunk.failed) chunkIsDone(state, chunk.reference);
  }
  state.pending = state.pending.filter(({ batches }) => batches.length > 0);
}

const partitionsOf = (parts: { partitions: number }[]): number =>
  parts.reduce((sum, { partitions }) => sum + partitions, 0);

/** Puts the failed chunks in line again. Their partitions count anew: what was done in them stays counted by the chunk. */
export function lineUpFailed(state: BackfillState): number {
  const chunks = state.failedChunks;
  state.failedChunks = [];
  state.failures = [];
  const waiting = state.pending.filter(({ failed, again }) => failed && !again);
  for (const chunk of waiting) chunk.again = true;
  state.counts.partitionsDone -= partitionsOf(chunks) - partitionsOf(waiting.flatMap(({ batches }) => batches));
  state.counts.partitionsDone += state.counts.partitionsFailed;
  state.counts.partitionsFailed = 0;
  state.retries.push(...chunks);
  return chunks.length;
}

/** Whether there is a chunk to start. */
export function hasNext(state: BackfillState): boolean {
  return state.retries.length > 0 || state.cursor < state.plan.totals.chunks;
}

/** Milliseconds that were spent working. */
export function workedMs(state: BackfillState, now: number): number {
  const pausedNow = state.paused ? now - state.paused.at : 0;
  return now - state.startedAt - state.pausedMs - pausedNow;
}
