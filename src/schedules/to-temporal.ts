import type { CalendarSpec, ScheduleOptions, ScheduleOverlapPolicy, ScheduleSpec } from '@temporalio/client';
import { TASK_QUEUE } from '../workflows/ids.ts';
import type { DeclaredSchedule, Overlap, Timing } from './types.ts';

const OVERLAPS: Record<Overlap, ScheduleOverlapPolicy> = {
  skip: 'SKIP',
  bufferOne: 'BUFFER_ONE',
  bufferAll: 'BUFFER_ALL',
  cancelOther: 'CANCEL_OTHER',
  allowAll: 'ALLOW_ALL',
};

function calendar(minutes: number, on: Extract<Timing, { on: unknown }>['on']): CalendarSpec {
  return {
    hour: Math.floor(minutes / 60),
    minute: minutes % 60,
    ...(on.length ? { dayOfWeek: on.map((day) => ({ start: day, end: day })) } : {}),
  };
}

function specOf({ timing, jitterSeconds }: DeclaredSchedule): ScheduleSpec {
  const jitter = jitterSeconds ? { jitter: jitterSeconds * 1000 } : {};
  if ('everySeconds' in timing)
    return { intervals: [{ every: timing.everySeconds * 1000, offset: timing.offsetSeconds * 1000 }], ...jitter };
  const { atMinutes, on, timeZone } = timing;
  return { calendars: atMinutes.map((minutes) => calendar(minutes, on)), timezone: timeZone, ...jitter };
}

/** What Temporal is told of a declared schedule; not whether it is paused, which belongs to people. */
export function toTemporal(
  declared: DeclaredSchedule,
): Pick<ScheduleOptions, 'scheduleId' | 'spec' | 'action'> & { policies: NonNullable<ScheduleOptions['policies']> } {
  const { id, tick } = declared;
  return {
    scheduleId: id,
    spec: specOf(declared),
    action: {
      type: 'startWorkflow',
      workflowType: 'tick',
      workflowId: `tick/${id}`,
      taskQueue: TASK_QUEUE,
      args: [tick],
      staticSummary: [tick.kind, tick.source, tick.feed].filter(Boolean).join(' '),
    },
    policies: {
      overlap: OVERLAPS[declared.overlap],
      catchupWindow: declared.catchupSeconds * 1000,
      pauseOnFailure: declared.pauseOnFailure,
    },
  };
}
