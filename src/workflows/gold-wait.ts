import { ApplicationFailure, condition, defineSignal, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { GoldDay } from '../activities/gold.ts';
import { short } from './activities.ts';
import { waitingDetails } from './gold-details.ts';
import { canonicalTime } from './range.ts';

/** Makes Gold go on with what is there: `temporal workflow signal --workflow-id gold/<date> --name goOn`. */
export const goOn = defineSignal('goOn');

/** How long a night waits for the day's partitions. */
const PATIENCE_MS = 3 * 3_600_000;

const LONGEST_PAUSE_MS = 5 * 60_000;
const SHORTEST_PAUSE_MS = 10_000;

/** Looks of one wait: a day that comes late is seen soon, and the history stays small. */
const LOOKS = 36;

/**
 * When waiting ends, in milliseconds since 1970.
 *
 * @param deadline UTC time, or a time after the start such as `90m` or `3h`
 * @param closed whether nothing comes by itself any more; then the default is not to wait
 */
function deadlineOf(deadline: string | undefined, closed: boolean): number {
  if (deadline === undefined) return Date.now() + (closed ? 0 : PATIENCE_MS);
  const [, count, unit] = /^(\d+)([smh])$/.exec(deadline) ?? [];
  if (!count) return Date.parse(canonicalTime(deadline));
  return Date.now() + Number(count) * (unit === 'h' ? 3_600_000 : unit === 'm' ? 60_000 : 1000);
}

/** Waits until every slot of the day is done or known to be missing, until the deadline, or until somebody says `goOn`. */
export async function waitForDay(sources: string[], date: string, deadline: string | undefined): Promise<GoldDay> {
  let told = false;
  setHandler(goOn, () => void (told = true), { description: 'go on with the partitions that are there' });
  let day = await short.lookAtGoldDay({ sources, date });
  const end = deadlineOf(deadline, day.closed);
  const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, (end - Date.now()) / LOOKS));
  while (day.lateSlots && Date.now() < end && !told) {
    setCurrentDetails(waitingDetails(date, day, end));
    await condition(() => told, Math.min(pauseMs, end - Date.now()));
    day = await short.lookAtGoldDay({ sources, date });
  }
  return day;
}

/** A date, `YYYY-MM-DD`. */
export function canonicalDate(text: string): string {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  if (!Number.isNaN(time) && new Date(time).toISOString().startsWith(text)) return text;
  throw ApplicationFailure.nonRetryable(`expected a date such as 2025-05-04, found ${text}`, 'CUP_RANGE_INVALID');
}
