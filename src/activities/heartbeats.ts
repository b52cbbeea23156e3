import { heartbeat } from '@temporalio/activity';

/** Milliseconds between two heartbeats of work that has no steps of its own. */
const HEARTBEAT_MS = 5_000;

/**
 * Works, and says now and then that it lives: a dead worker is noticed within the activity's heartbeat timeout.
 *
 * @param work tells by its argument how far it is; the Web UI shows it
 */
export async function withHeartbeat<T>(work: (tell: (details: unknown) => void) => Promise<T>): Promise<T> {
  let last: unknown;
  const beat = (): void => heartbeat(last);
  const timer = setInterval(beat, HEARTBEAT_MS);
  try {
    return await work((details) => {
      last = details;
      beat();
    });
  } finally {
    clearInterval(timer);
  }
}
