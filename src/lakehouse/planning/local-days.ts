import { cupelError } from '../../errors.ts';

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const UTC_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z$/;

/** What a clock in the zone shows at a moment, as if it were UTC: milliseconds since 1970. */
function wallClock(at: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(at);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
}

/**
 * The moment when a day begins in a zone: its midnight, or, where clocks skip midnight, the first moment after it. A day
 * of 23 or 25 hours is right, since both its ends are taken so.
 *
 * @param date `YYYY-MM-DD`
 * @param timeZone IANA name
 */
export function startOfDay(date: string, timeZone: string): Date {
  const midnight = Date.parse(`${date}T00:00:00Z`);
  // The offset at midnight is one of those around it; the earliest moment that shows the new day is its start.
  const offsets = [midnight - 86_400_000, midnight, midnight + 86_400_000].map((at) => wallClock(at, timeZone) - at);
  const candidates = [...new Set(offsets)].map((offset) => midnight - offset).sort((a, b) => a - b);
  const start = candidates.find((at) => wallClock(at, timeZone) >= midnight);
  return new Date(start ?? midnight);
}

/** Whether a text begins with a day of the calendar: `Date` takes the 30th of February for the 2nd of March. */
function isDay(text: string): boolean {
  const date = text.slice(0, 10);
  const time = Date.parse(date);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
}

/**
 * A range as a source understands it: a bare date begins at midnight of the contract's time zone, a time is UTC.
 *
 * @throws CupelError CUP_RANGE_INVALID
 */
export function resolveRange(from: string, to: string, timeZone = 'UTC'): { from: string; to: string } {
  const read = (text: string): number => {
    const moment = (): number => (DATE.test(text) ? startOfDay(text, timeZone).getTime() : Date.parse(text));
    const time = (DATE.test(text) || UTC_TIME.test(text)) && isDay(text) ? moment() : NaN;
    if (Number.isNaN(time))
      throw cupelError('CUP_RANGE_INVALID', { expected: '2025-05-04 or 2025-05-04T13:00:00Z', found: text });
    return time;
  };
  const range = { from: read(from), to: read(to) };
  if (range.from >= range.to)
    throw cupelError('CUP_RANGE_INVALID', { expected: 'from before to', found: `${from}/${to}` });
  const text = (time: number): string => new Date(time).toISOString().replace('.000Z', 'Z');
  return { from: text(range.from), to: text(range.to) };
}
