import { ApplicationFailure, condition, executeChild, log, ParentClosePolicy } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { StreamEnd } from '../../activities/streams.ts';
import { announce, announceFailure } from '../announce.ts';
import { codeOf, messageOf } from '../failures.ts';
import { pipelineId } from '../ids.ts';
import type { Range } from '../range.ts';
import type { StreamState } from './messages.ts';
import { replayFrom } from './take.ts';

const HOUR_MS = 3_600_000;

const MINUTE_MS = 60_000;

/** Failures in a row from which on somebody should look. */
export const OPEN_AT = 5;

/** A job that has run so long was well: its failure is the first of its kind. */
const WELL_AFTER_MS = 10 * MINUTE_MS;

/** Milliseconds until a job is launched again after its first failure in a row, and at most; each further failure doubles it. */
const BACKOFF_MS = { first: 5_000, most: 5 * MINUTE_MS };

/** Of these no launch is the cure: what a contract does not allow stays so until somebody mends it. */
const HOPELESS = new Set(['CUP_PARTITIONS_FAILED', 'CUP_CONTRACT_BREAKING', 'CUP_CONTRACT_INVALID']);

const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

/** Takes down what failed; it counts as a failure of the stream. */
export function noteFailure(state: StreamState, error: unknown): void {
  const code = codeOf(error);
  state.failures = HOPELESS.has(code) ? OPEN_AT : state.failures + 1;
  state.lastFailure = { code, message: messageOf(error), at: iso(Date.now()) };
}

/** Hour of Bronze from which on nobody knows what a job had in hand: its messages were published in, or after, the last committed hour. */
function lastCommittedHour({ hours, settledThrough, launchedMs }: StreamState): string {
  const published = (settledThrough ?? iso(launchedMs)).slice(0, 13);
  const bronze = Object.keys(hours).flatMap((hour) => (hour >= published ? (hours[hour] ?? []) : []));
  return bronze.reduce((a, b) => (b < a ? b : a), published);
}

/** Takes down that a job ended as it should not have, and from when on Bronze is to be replayed before the next one. */
export function noteEnd(state: StreamState, { code = 'unknown', message = '' }: StreamEnd): void {
  if (Date.now() - state.launchedMs >= WELL_AFTER_MS) state.failures = 0;
  noteFailure(state, ApplicationFailure.nonRetryable(message, code));
  replayFrom(state, lastCommittedHour(state));
}

/** Waits before the next launch: longer after each failure, an hour once the circuit is open, shorter when somebody asks. */
export async function waitForLaunch(source: string, state: StreamState, asked: () => boolean): Promise<void> {
  if (!state.failures) return;
  const open = state.failures >= OPEN_AT;
  state.phase = open ? 'open' : 'waiting';
  const { code = 'unknown', message = '' } = state.lastFailure ?? {};
  if (open) await announceFailure(`stream/${source}`, source, ApplicationFailure.nonRetryable(message, code));
  const backoff = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (state.failures - 1));
  await condition(asked, open ? HOUR_MS : backoff);
}

/** Says that the stream is well again, once after failures. */
export async function noteHealth(source: string, state: StreamState): Promise<void> {
  if (!state.failures) return;
  state.failures = 0;
  await announce({ subject: `stream/${source}`, source, state: 'healthy', reason: 'the stream goes on' });
}

/** Whole hours from the last committed one to now. */
function replayRange(fromHour: string): Range {
  return { from: `${fromHour}:00:00Z`, to: iso((Math.floor(Date.now() / HOUR_MS) + 1) * HOUR_MS) };
}

/**
 * Processes again what Bronze holds of the hours that a failed job may have lost something of. That it fails stops no stream: it
 * says so itself, and the next failure tries again.
 */
export async function replayBronze(source: string, state: StreamState): Promise<void> {
  if (state.replayFrom === undefined) return;
  state.phase = 'replaying';
  const range = replayRange(state.replayFrom);
  try {
    await executeChild('pipeline', {
      workflowId: pipelineId(source, range.from, range.to),
      args: [{ source, ...range }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
    delete state.replayFrom;
  } catch (error) {
    // Somebody processes the very range already.
    if (error instanceof WorkflowExecutionAlreadyStartedError) delete state.replayFrom;
    else log.warn('Bronze was not replayed', { source, code: codeOf(error) });
  }
}
