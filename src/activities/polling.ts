import { Context } from '@temporalio/activity';
import { cupelError } from '../errors.ts';

/** Waits until the time is over or the activity is cancelled. */
export async function pause(ms: number): Promise<void> {
  const { cancellationSignal } = Context.current();
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      cancellationSignal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    cancellationSignal.addEventListener('abort', done, { once: true });
  });
}

/**
 * To be called before remote work is cancelled: where it is the worker that ends, and not the workflow that cancels, the work goes on.
 *
 * @throws CupelError CUP_WORKER_STOPPING, so that another worker waits on
 */
export function leaveToNextWorker(): void {
  const details = Context.current().cancellationDetails;
  if (details?.workerShutdown && !details.cancelRequested) throw cupelError('CUP_WORKER_STOPPING');
}

/** Looks that may fail in a row before a failure to look counts: at 10 s each that is longer than a regional hiccup. */
export const MAX_MISSES = 30;
