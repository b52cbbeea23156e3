import { setTimeout as delay } from 'node:timers/promises';

/** Waits until another request may begin. */
export type Pace = () => Promise<void>;

/**
 * Lets requests begin one after the other, evenly: an API that others use too is never flooded.
 *
 * @param perMinute most requests that begin in a minute
 * @param now milliseconds of a clock that never goes back. Default: the process's own
 */
export function evenPace(perMinute: number, now: () => number = () => performance.now()): Pace {
  const between = 60_000 / perMinute;
  let next = -Infinity;
  return async () => {
    const turn = Math.max(now(), next);
    next = turn + between;
    if (turn > now()) await delay(turn - now());
  };
}
