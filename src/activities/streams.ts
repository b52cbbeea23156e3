import { Context } from '@temporalio/activity';
import { CupelError } from '../errors.ts';
import { batchEvents } from '../lakehouse/ledger/batch-events.ts';
import { readContract } from '../lakehouse/contract-store.ts';
import { StreamFollower, StreamLog } from '../lakehouse/streams/index.ts';
import type { FollowState, OpenBatch } from '../lakehouse/streams/index.ts';
import { dataflowJobs, FAILED, SUCCEEDED } from './dataflow-jobs.ts';
import type { AwaitDataflowJob } from './dataflow-jobs.ts';
import { tellStreamed } from './lineage/index.ts';
import { withHeartbeat } from './heartbeats.ts';
import { pause } from './polling.ts';
import type { ActivityResources } from './resources.ts';
import { submitBatches } from './submit-batches.ts';

/** A stream to follow. */
export interface FollowStream {
  source: string;
  contractUri: string;
  /** Workflow that is told of batches that the committer refuses. */
  waiter: string;
  state: FollowState;
  /** The job that is watched meanwhile. Default: none runs, and following ends when all is settled. */
  job?: AwaitDataflowJob;
}

/** Why a streaming job runs no more. */
export interface StreamEnd {
  how: 'drained' | 'updated' | 'failed';
  /** Of a failed one: code of the catalogue. */
  code?: string;
  message?: string;
}

/** What was seen of a stream. */
export interface StreamSeen {
  state: FollowState;
  /** Undefined: the job goes on. */
  end?: StreamEnd;
  /** What was settled meanwhile. */
  batches: number;
  messages: number;
  /** Newest time of publishing of what was settled, RFC 3339. */
  newest?: string;
  /** Least hour of Bronze of what was settled, by hour of publishing; both `YYYY-MM-DDTHH`. */
  hours: Record<string, string>;
  /** Seconds since the publishing of the oldest message whose batch is not settled; 0 when all are. */
  lagSeconds: number;
  /** Messages that the job dropped since they came too late. */
  droppedAsLate: number;
}

/** Milliseconds between two looks at the log. */
const LOOK_MS = 250;

/** Looks at the job of one activity: then the workflow shows how it goes. */
const LOOKS_AT_JOB = 5;

type Follower = { follower: StreamFollower; settled: OpenBatch[] };

/** Activities on streams. */
export function streamActivities(resources: ActivityResources) {
  const { environment, store, deltas, ledger, temporal, now } = resources;
  const { pollIntervalMs } = environment;
  const jobs = dataflowJobs(resources);

  async function follow(request: FollowStream): Promise<Follower> {
    const { source, contractUri, waiter, state } = request;
    const { commit } = await readContract(store, contractUri);
    const log = new StreamLog(store, environment.buckets.ops, source);
    const settled: OpenBatch[] = [];
    const submit = async (batches: OpenBatch[]): Promise<void> => {
      const [{ table = '', contractUri: uri = '' } = {}] = batches;
      const batchIds = batches.map(({ batchId }) => batchId);
      await submitBatches(temporal, { table, contractUri: uri, batchIds, waiter, refusalsOnly: true });
    };
    const record = async (batches: OpenBatch[]): Promise<void> => {
      const events = batches.map(({ table, batchId }) => batchEvents(deltas, source, table, batchId));
      await ledger.append((await Promise.all(events)).flat());
      settled.push(...batches);
      tellStreamed(resources, source, batches, request.job?.report);
    };
    const following = { log, deltas, submit, record, now };
    const follower = new StreamFollower(following, state, commit.maxLatencySeconds * 1000);
    await follower.begin();
    return { follower, settled };
  }

  /** How the job has ended; undefined: it goes on, or nobody can tell now. */
  async function endOf(job: AwaitDataflowJob, misses: number): Promise<{ end?: StreamEnd; seen: boolean }> {
    try {
      const state = await jobs.look(job, misses);
      if (state === undefined) return { seen: false };
      if (SUCCEEDED.has(state))
        return { seen: true, end: { how: state === 'JOB_STATE_UPDATED' ? 'updated' : 'drained' } };
      if (state === 'JOB_STATE_FAILED') throw await jobs.failure(job);
      // Somebody cancelled it by hand: what it had in hand comes again.
      if (FAILED.has(state)) return { seen: true, end: { how: 'failed', code: 'CUP_DATAFLOW_JOB_CANCELLED' } };
      return { seen: true };
    } catch (error) {
      if (!(error instanceof CupelError) || error.retryable) throw error;
      return { seen: true, end: { how: 'failed', code: error.code, message: error.message } };
    }
  }

  /** By hour of publishing, since that is what a stream knows of messages that a job has lost. */
  function hoursOf(settled: OpenBatch[]): Record<string, string> {
    const hours: Record<string, string> = {};
    for (const { newest, fromHour } of settled) {
      const hour = newest.slice(0, 13);
      hours[hour] = fromHour < (hours[hour] ?? '9') ? fromHour : (hours[hour] ?? fromHour);
    }
    return hours;
  }

  function seenOf({ follower, settled }: Follower, droppedAsLate: number, end?: StreamEnd): StreamSeen {
    const { state } = follower;
    const oldest = state.open.map((batch) => Date.parse(batch.oldest)).reduce((a, b) => Math.min(a, b), now());
    const newest = settled.map((batch) => batch.newest).reduce((a, b) => (a > b ? a : b), '');
    return {
      state,
      ...(end ? { end } : {}),
      batches: settled.length,
      messages: settled.reduce((sum, { messages }) => sum + messages, 0),
      ...(newest ? { newest } : {}),
      hours: hoursOf(settled),
      lagSeconds: Math.max(0, Math.round((now() - oldest) / 1000)),
      droppedAsLate,
    };
  }

  async function watch(request: FollowStream & { job: AwaitDataflowJob }): Promise<StreamSeen> {
    const { cancellationSignal } = Context.current();
    const following = await follow(request);
    let [misses, looks, lookedAt] = [0, 0, -Infinity];
    while (looks < LOOKS_AT_JOB && !cancellationSignal.aborted) {
      await following.follower.look();
      if (performance.now() - lookedAt >= pollIntervalMs) {
        const { end, seen } = await endOf(request.job, misses);
        [misses, looks, lookedAt] = [seen ? 0 : misses + 1, looks + 1, performance.now()];
        if (end) {
          await following.follower.round(true); // what it published last
          return seenOf(following, await jobs.droppedAsLate(request.job), end);
        }
      }
      await pause(Math.min(LOOK_MS, pollIntervalMs));
    }
    await following.follower.round(false);
    return seenOf(following, await jobs.droppedAsLate(request.job));
  }

  async function settleAll(request: FollowStream): Promise<StreamSeen> {
    const { cancellationSignal } = Context.current();
    const following = await follow(request);
    const until = performance.now() + LOOKS_AT_JOB * pollIntervalMs;
    do {
      await following.follower.round(true);
      if (!following.follower.state.open.length) break;
      await pause(Math.min(LOOK_MS, pollIntervalMs));
    } while (performance.now() < until && !cancellationSignal.aborted);
    return seenOf(following, 0);
  }

  return {
    /**
     * Has what a stream publishes committed and entered into the ledger, and watches its job, for a while or until the job ends;
     * without a job until all is settled. Safe to repeat.
     *
     * @throws CupelError CUP_GOOGLE_UNAVAILABLE, CUP_GOOGLE_REFUSED
     */
    followStream: (request: FollowStream): Promise<StreamSeen> =>
      withHeartbeat(() => (request.job ? watch({ ...request, job: request.job }) : settleAll(request))),

    /** Asks a streaming job to finish what it has begun and to end; one that has ended already is no error. */
    drainStream: ({ job }: { job: AwaitDataflowJob }): Promise<void> => jobs.end(job, 'JOB_STATE_DRAINED'),
  };
}
