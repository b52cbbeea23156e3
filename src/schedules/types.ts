import type { TickInput } from '../workflows/tick.ts';

/** What happens to a tick while the one before still runs, as Temporal knows it. */
export type Overlap = 'skip' | 'bufferOne' | 'bufferAll' | 'cancelOther' | 'allowAll';

/** When a schedule ticks: every so often, or at times of the day. */
export type Timing =
  /** Seconds; the grid begins at 1970-01-01T00:00:00Z. */
  | { everySeconds: number; offsetSeconds: number }
  /** Minutes of the day in the time zone; weekdays in Temporal's words, none for each day. */
  | { atMinutes: number[]; on: Weekday[]; timeZone: string };

/** A weekday in Temporal's words. */
export type Weekday = (typeof WEEKDAYS)[number];

/** From Sunday, as Temporal counts. */
export const WEEKDAYS = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'] as const;

/** A schedule as the files declare it. */
export interface DeclaredSchedule {
  /** `<kind>`, `<kind>/<source>` or `<kind>/<source>/<feed>`. */
  id: string;
  tick: TickInput;
  timing: Timing;
  jitterSeconds: number;
  overlap: Overlap;
  catchupSeconds: number;
  /** Whether a tick that fails pauses the schedule. */
  pauseOnFailure: boolean;
}
