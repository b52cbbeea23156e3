import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

const SHORT_RETRY = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' } as const;

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
  heartbeatTimeout: '1m',
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
  heartbeatTimeout: '1m',
  retry: SHORT_RETRY,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});
