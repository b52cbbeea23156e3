import { setTimeout as delay } from 'node:timers/promises';
import { QueryNotRegisteredError } from '@temporalio/client';
import { cupelError } from '../../../errors.ts';
import type { BackfillResult } from '../../../workflows/backfill/backfill.ts';
import { statusQuery } from '../../../workflows/backfill/messages.ts';
import type { BackfillStatus } from '../../../workflows/backfill/messages.ts';
import { progress, progressDone } from '../../output.ts';
import type { BackfillHandle } from './find.ts';
import { progressLine } from './print.ts';

const LOOK_EVERY_MS = 1_000;

/** Seconds that a worker gets to answer a query. */
const QUERY_SECONDS = 10;

/**
 * Asks where a backfill stands; undefined while its first step has not run.
 *
 * @throws CupelError CUP_WORKER_SILENT when no worker answers: the backfill itself waits unharmed
 */
export async function statusOf(handle: BackfillHandle): Promise<BackfillStatus | undefined> {
  const deadline = AbortSignal.timeout(QUERY_SECONDS * 1000);
  try {
    return await handle.client.withAbortSignal(deadline, () => handle.query(statusQuery));
  } catch (error) {
    if (error instanceof QueryNotRegisteredError) return undefined;
    if (deadline.aborted)
      throw cupelError('CUP_WORKER_SILENT', { workflow: handle.workflowId, seconds: QUERY_SECONDS }, error);
    throw error;
  }
}

/** Whether the newest run is open. */
export async function isOpen(handle: BackfillHandle): Promise<boolean> {
  const { status } = await handle.describe();
  return status.name === 'RUNNING' || status.name === 'PAUSED';
}

/** Shows how it goes on until it ends. Ending the command leaves the backfill alone. */
export async function follow(handle: BackfillHandle): Promise<BackfillResult> {
  const ended = new AbortController();
  const result = handle.result().finally(() => ended.abort());
  result.catch(() => undefined); // awaited below
  let said = '';
  while (!ended.signal.aborted) {
    const status = await statusOf(handle).catch(() => undefined);
    const line = status ? progressLine(status) : 'no worker answers';
    if (line !== said) progress((said = line));
    await delay(LOOK_EVERY_MS, undefined, { signal: ended.signal }).catch(() => undefined);
  }
  progressDone();
  return result;
}
