import type { EventType, LineageEvent, Parentage, Work } from '../../lineage/index.ts';
import type { Activities } from '../index.ts';

/** How a run ended. */
export interface End {
  type: Exclude<EventType, 'START'>;
  /** Why, of one that failed or was stopped. */
  failure?: string | undefined;
}

/** The call of an activity that an event tells of. */
export interface Call {
  runId: string;
  parentage: Parentage | undefined;
  /** Milliseconds since 1970: when the activity was scheduled first. */
  scheduledMs: number;
  /** Milliseconds since 1970 of the event. */
  at: number;
}

/** What lineage tells of an activity. */
export interface Step<I, O> {
  /** UUID of the run; undefined: the call belongs to none. Default: one run for each call, however often it is tried. */
  runId?: (input: I) => string | undefined;
  /** What the run reads and writes; undefined: nothing is told. */
  work?: (input: I, result: O | undefined, call: Call) => Promise<Work | undefined>;
  /** Which end of a run that several activities share is this one's. Default: it is the whole run. */
  side?: 'start' | 'end';
  /** How a run ended whose activity succeeded; undefined: it goes on. Default: well. */
  ended?: (result: O) => End | undefined;
  /** Whether a failed activity leaves the run as it is. Default false: it ends it. */
  outlives?: boolean;
  /** Events of other runs and jobs that are known at the end. */
  also?: (input: I, result: O | undefined, call: Call) => Promise<LineageEvent[]>;
}

/** Steps by the activities that they tell of. */
export type Steps = {
  [K in keyof Activities]?: Step<Parameters<Activities[K]>[0], Awaited<ReturnType<Activities[K]>>>;
};
