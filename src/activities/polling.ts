import { Context } from '@temporalio/activity';

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

/** Looks that may fail in a row before a failure to look counts: at 10 s each that is longer than a regional hiccup. */
export const MAX_MISSES = 30;
