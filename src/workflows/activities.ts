import { ActivityCancellationType, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { BACKFILL_TASK_QUEUE } from './ids.ts';

const SHORT_RETRY = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' } as const;

/** A dead worker costs this long and no more. Activities say every 5 s that they live, and the SDK passes on four fifths of it. */
const HEARTBEAT = '20s';

/** Calls that end in seconds. They are tried until they succeed or say that trying is of no use. */
export const short = proxyActivities<Activities>({ startToCloseTimeout: '2m', retry: SHORT_RETRY });

/** A poll is of use for a while only: then the next one, whose answer covers it, or a repair takes over. */
export const polling = proxyActivities<Activities>({
  startToCloseTimeout: '2m',
  scheduleToCloseTimeout: '15m',
  retry: SHORT_RETRY,
});

/** Work of minutes on one machine: a dead worker shows by its missing heartbeat. */
export const working = proxyActivities<Activities>({
  startToCloseTimeout: '2h',
  heartbeatTimeout: HEARTBEAT,
  retry: SHORT_RETRY,
});

/** Upkeep that the next occasion makes up for. */
export const upkeep = proxyActivities<Activities>({
  startToCloseTimeout: '2h',
  heartbeatTimeout: '1m',
  retry: { ...SHORT_RETRY, maximumAttempts: 3 },
});

/** Waiting for a remote job: cancelling waits until the job has really stopped. */
export const waiting = proxyActivities<Activities>({
  startToCloseTimeout: '24h',
  heartbeatTimeout: HEARTBEAT,
  retry: SHORT_RETRY,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** Work on the queue of backfills, whichever queue the workflow itself was started on. */
export const backfilling = proxyActivities<Activities>({
  taskQueue: BACKFILL_TASK_QUEUE,
  startToCloseTimeout: '2h',
  heartbeatTimeout: HEARTBEAT,
  retry: SHORT_RETRY,
});

/** Calls of milliseconds that may be made twice without harm: they run in the workflow's own worker and cost one event. */
export const quick = proxyLocalActivities<Activities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
});

/** Asking Google to start a job: seconds, and harmless when it is asked twice, so it costs one event too. */
export const launching = proxyLocalActivities<Activities>({
  startToCloseTimeout: '2m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
});
