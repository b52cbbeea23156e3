import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { ContractReference } from '../../activities/contracts.ts';
import type { AwaitDataflowJob } from '../../activities/dataflow-jobs.ts';
import type { FollowState } from '../../lakehouse/streams/follow.ts';

/** Input of the entity of a stream. */
export interface StreamInput {
  source: string;
  /** Carried over when the history starts anew. */
  state?: StreamState;
}

/**
 * What a stream is doing. `waiting`: its job failed and is launched again later; `open`: it failed so often that somebody should look,
 * and it is tried once an hour.
 */
export type StreamPhase = 'launching' | 'running' | 'draining' | 'replaying' | 'waiting' | 'open' | 'stopped';

/** All that is known of a stream. */
export interface StreamState {
  phase: StreamPhase;
  contract?: ContractReference;
  job?: AwaitDataflowJob;
  /** When the job was launched, milliseconds since 1970. */
  launchedMs: number;
  /** Jobs launched so far. */
  launches: number;
  follow: FollowState;
  batches: number;
  messages: number;
  /** Newest time of publishing of what was settled, RFC 3339. */
  settledThrough?: string;
  lagSeconds: number;
  /** Messages that jobs dropped since they came too late: more than 0 is a fault. */
  droppedAsLate: number;
  /** Failures in a row. */
  failures: number;
  lastFailure?: { code: string; message: string; at: string };
  /** Least hour of Bronze of what was settled, by hour of publishing, of the last two such hours; `YYYY-MM-DDTHH`. */
  hours: Record<string, string>;
  /** Batches that the committer refused, and that a look which had begun before may tell of again. */
  refused: string[];
  /** What is to be replayed from Bronze before the next launch: from this hour on, `YYYY-MM-DDTHH`. */
  replayFrom?: string;
}

/** What a stream did until it was stopped. */
export type StreamResult = Pick<StreamState, 'batches' | 'messages' | 'settledThrough' | 'launches'>;

/** Drains the job and ends. */
export const stopStream = defineSignal('stopStream');

/** Launches a job under the contract and the template of now, in place of the one that runs. */
export const updateStream = defineSignal('updateStream');

/** Launches a job at once, although earlier ones failed. */
export const resumeStream = defineSignal('resumeStream');

/** How a stream is. */
export const streamStatus = defineQuery<StreamState>('streamStatus');

/** A stream that has done nothing yet. */
export function newStream(): StreamState {
  return {
    ...{ phase: 'launching', launchedMs: 0, launches: 0, follow: { next: 1, open: [], settled: [] } },
    ...{ batches: 0, messages: 0, lagSeconds: 0, droppedAsLate: 0, failures: 0, hours: {}, refused: [] },
  };
}
