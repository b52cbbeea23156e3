import { CancellationScope, isCancellation, log, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { Health } from '../notifications/index.ts';
import { codeOf, messageOf } from './failures.ts';

/** Telling is worth an hour of trying; after that the workflow's own state has to tell. */
const telling = proxyActivities<Activities>({
  startToCloseTimeout: '1m',
  scheduleToCloseTimeout: '1h',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
});

/** Codes whose text may quote what a remote system said of a value; people get the code, and the run has the text. */
const QUOTING = new Set(['CUP_DATAFORM_INVOCATION_FAILED', 'CUP_GOOGLE_REFUSED', 'unknown']);

/** Says how a subject is, also while the workflow is being cancelled. Never fails: who tells must not break what it tells of. */
export async function announce(health: Omit<Health, 'workflowId'>): Promise<void> {
  const { workflowId } = workflowInfo();
  try {
    await CancellationScope.nonCancellable(() => telling.announce({ ...health, workflowId }));
  } catch (error) {
    log.warn('nobody could be told', { subject: health.subject, state: health.state, code: codeOf(error) });
  }
}

/** Says that a subject failed, and why. */
export async function announceFailure(subject: string, source: string, error: unknown): Promise<void> {
  const code = codeOf(error);
  const reason = QUOTING.has(code) ? `failed with ${code}; the workflow says more` : messageOf(error);
  await announce({ subject, source, state: 'failed', reason, ...(code === 'unknown' ? {} : { code }) });
}

/**
 * Runs work and tells people how it ended: a failure, and the first success after one. What the work throws is what the
 * caller gets. A cancelled run is no failure.
 *
 * @param subject what people know it by, the same for every run of its kind
 */
export async function announcing<T>(subject: string, source: string, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    if (!isCancellation(error)) await announceFailure(subject, source, error);
    throw error;
  }
  await announce({ subject, source, state: 'healthy', reason: 'the run succeeded' });
  return result;
}
