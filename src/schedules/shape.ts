import type { CalendarSpecDescription, ScheduleDescription } from '@temporalio/client';
import {
  compileScheduleOptions,
  decodeScheduleSpec,
  encodeScheduleSpec,
} from '@temporalio/client/lib/schedule-helpers.js';
import { toTemporal } from './to-temporal.ts';
import { WEEKDAYS } from './types.ts';
import type { DeclaredSchedule } from './types.ts';

/** What Cupel owns of a schedule, a line each: compared, and shown where it differs. */
export type Shape = Record<'when' | 'jitter' | 'overlap' | 'catchupWindow' | 'pauseOnFailure' | 'starts', string>;

/** One line that differs. */
export interface Difference {
  field: string;
  from: string;
  to: string;
}

const UNITS: [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];

/** A span as the file writes it. */
function span(ms: number): string {
  const [unit, size] = UNITS.find(([, unitMs]) => ms >= unitMs && ms % unitMs === 0) ?? ['ms', 1];
  return ms === 0 ? '0s' : `${ms / size}${unit}`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** A day's time, and weekdays where it is not each; in full where another hand made it a calendar of its own. */
function clock(calendar: CalendarSpecDescription): string {
  const { hour, minute, second, dayOfMonth, month, year, dayOfWeek } = calendar;
  const [h, m] = [hour[0], minute[0]];
  const days = dayOfWeek.flatMap(({ start, end, step }) => {
    const [first, last] = [WEEKDAYS.indexOf(start), WEEKDAYS.indexOf(end)];
    return WEEKDAYS.filter((_, day) => day >= first && day <= last && (day - first) % step === 0);
  });
  const single = [hour, minute].every((of) => of.length === 1 && of[0]?.start === of[0]?.end);
  const plain =
    second.length === 1 && second[0]?.end === 0 && year.length === 0 && dayOfMonth[0]?.end === 31 && month.length === 1;
  if (!h || !m || !single || !plain) return JSON.stringify(calendar);
  const on =
    days.length === WEEKDAYS.length ? '' : ` on ${days.map((day) => day.slice(0, 3).toLowerCase()).join(', ')}`;
  return `${two(h.start)}:${two(m.start)}${on}`;
}

function timing({ spec }: Pick<ScheduleDescription, 'spec'>): string {
  const { calendars = [], intervals = [], skip = [], startAt, endAt, timezone } = spec;
  const every = intervals.map(({ every: of, offset }) => `every ${span(of)}${offset ? ` from ${span(offset)}` : ''}`);
  const at = calendars.map((calendar) => `at ${clock(calendar)} ${timezone || 'UTC'}`);
  const other = { ...(skip.length ? { skip } : {}), ...(startAt ? { startAt } : {}), ...(endAt ? { endAt } : {}) };
  return [...every, ...at, ...(Object.keys(other).length ? [JSON.stringify(other)] : [])].join('; ');
}

/** What a schedule is, as Temporal tells it. */
export function shapeOf({ spec, action, policies }: Pick<ScheduleDescription, 'spec' | 'action' | 'policies'>): Shape {
  const { workflowType, workflowId, taskQueue, args = [], retry, memo, staticSummary = '' } = action;
  const { workflowExecutionTimeout, workflowRunTimeout, workflowTaskTimeout } = action;
  const extra = Object.entries({
    ...(retry ? { retry } : {}),
    ...(memo && Object.keys(memo).length ? { memo } : {}),
    ...{ workflowExecutionTimeout, workflowRunTimeout, workflowTaskTimeout },
  }).filter(([, value]) => Boolean(value));
  const rest = extra.length ? ` ${JSON.stringify(Object.fromEntries(extra))}` : '';
  return {
    when: timing({ spec }),
    jitter: span(spec.jitter ?? 0),
    overlap: policies.overlap ?? '',
    catchupWindow: span(policies.catchupWindow),
    pauseOnFailure: String(policies.pauseOnFailure),
    starts: `${workflowType} ${JSON.stringify(args)} as ${workflowId ?? ''} on ${taskQueue} (${staticSummary})${rest}`,
  };
}

/** What a declared schedule is to be, in the same words: through the same encoding, so that equal is equal. */
export function declaredShape(declared: DeclaredSchedule): Shape {
  const { scheduleId, spec, action, policies } = toTemporal(declared);
  const compiled = compileScheduleOptions({ scheduleId, spec, action, policies });
  return shapeOf({
    spec: decodeScheduleSpec(encodeScheduleSpec(spec)),
    action: compiled.action,
    policies: policies as ScheduleDescription['policies'],
  });
}

/** Where two shapes differ. */
export function differences(from: Shape, to: Shape): Difference[] {
  return (Object.keys(to) as (keyof Shape)[])
    .filter((field) => from[field] !== to[field])
    .map((field) => ({ field, from: from[field], to: to[field] }));
}
