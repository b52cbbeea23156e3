import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { PlanHead } from '../../activities/plans.ts';
import type { Order, Reprocess } from '../../lakehouse/planning/selection.ts';
import type { BackfillState } from './state.ts';

/** Input of a backfill. Only `source`, `from` and `to` must be given. */
export interface BackfillInput {
  source: string;
  /** UTC time or date; a date begins at midnight of the contract's time zone, UTC unless it declares one. Included. */
  from: string;
  /** Not included. */
  to: string;
  /** `replay`: from Bronze. `pull`: from the origin, for what gaps and missing slots lost (docs/pull.md). Default `replay`. */
  mode?: 'replay' | 'pull';
  /** Which partitions: each takes what the one before takes too. Default `stale`: what is not done as it would be today. */
  reprocess?: Reprocess;
  /** Order of the chunks. Default `oldest`, so that a backfill that is stopped leaves no hole behind it. */
  order?: Order;
  /** One chunk after the other, oldest first, and none after one that failed. Default: as the contract says, else false. */
  dependsOnPast?: boolean;
  /** Chunks at once, 1 to 100; never more jobs than the project's quota has room for. Default 4. */
  maxConcurrency?: number;
  /** Bytes of Bronze per chunk, compressed as they lie there; at most 16 GiB. Default 2 GiB, minutes of work for a job. */
  chunkBytes?: number;
  /** `direct`: chunks are committed as they are processed. `audited`: into an audit table first. Default `direct`. */
  publish?: 'direct' | 'audited';
  /** Audited: `person` waits for the update `approve`; `checks` publishes when every check holds. Default `person`. */
  approval?: 'person' | 'checks';
  /** Carried over when the history starts anew; never given by a person. */
  state?: BackfillState;
}

/** A partition that failed, for people. */
export interface Failure {
  partition: string;
  /** Code of the catalogue. */
  code: string;
  /** Workflow of its chunk, whose history tells the rest. */
  workflowId: string;
}

/** How a chunk ended: its jobs, that is; what they made is committed by the backfill. */
export interface ChunkOutcome {
  chunk: number;
  state: 'processed' | 'failed' | 'cancelled';
  /** Batches that wait to be committed, and how many partitions each holds. */
  batches: { batchId: string; partitions: number }[];
  /** Partitions that were done before it began, or that an audit takes up later. */
  done: number;
  failed: number;
  /** The first of those that failed. */
  failures: Omit<Failure, 'workflowId'>[];
}

/** What a backfill tells about itself. */
export interface BackfillStatus {
  source: string;
  from: string;
  to: string;
  phase: BackfillState['phase'];
  paused: BackfillState['paused'] | null;
  stopping: boolean;
  maxConcurrency: number;
  plan: PlanHead | null;
  partitions: { total: number; done: number; failed: number; running: number; remaining: number };
  /** `committing`: their jobs have ended, and the committer has not answered yet; a failed one counts as failed. */
  chunks: { total: number; done: number; failed: number; running: number; committing: number; remaining: number };
  bytes: { total: number; done: number };
  rows: number;
  /** Partitions a minute while it worked; null before the first one is done. */
  ratePerMinute: number | null;
  /** Seconds left at that rate. */
  etaSeconds: number | null;
  /** Workflows of the chunks that run. */
  running: string[];
  /** The last 50. */
  failures: Failure[];
  /** Where the deltas can be looked at before they are published. */
  audit: BackfillState['audit'] | null;
}

/** From a chunk to its backfill: it has ended. Heard twice, it counts once. */
export const chunkEnded = defineSignal<[ChunkOutcome]>('chunkEnded');

/** Starts no more chunks until it is resumed; running ones go on. */
export const pause = defineUpdate<BackfillStatus, [{ reason?: string }]>('pause');

/** Goes on after a pause. */
export const resume = defineUpdate<BackfillStatus>('resume');

/** Sets how many chunks run at once, 1 to 100. */
export const setConcurrency = defineUpdate<BackfillStatus, [{ maxConcurrency: number }]>('setConcurrency');

/** Runs the failed chunks again; only what is not done in them by then. */
export const retryFailed = defineUpdate<BackfillStatus>('retryFailed');

/** Starts no more chunks and ends when those that run have ended. */
export const stop = defineUpdate<BackfillStatus>('stop');

/** Audited: publishes what was looked at. */
export const approve = defineUpdate<BackfillStatus>('approve');

/** Audited: throws away what was looked at. */
export const reject = defineUpdate<BackfillStatus>('reject');

/** Where a backfill stands. */
export const statusQuery = defineQuery<BackfillStatus>('status');
