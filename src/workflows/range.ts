import { ApplicationFailure } from '@temporalio/common';

/** A half-open range of UTC times, ISO 8601. */
export interface Range {
  from: string;
  to: string;
}

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z)?$/;

/** A time as every id and message writes it: `YYYY-MM-DDTHH:MM:SSZ`, milliseconds only where there are any. */
export function canonicalTime(text: string): string {
  // `Date` takes the 30th of February for the 2nd of March.
  const day = new Date(text.slice(0, 10));
  const isDay = !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text.slice(0, 10));
  const time = TIME.test(text) && isDay ? new Date(text) : new Date(NaN);
  if (Number.isNaN(time.getTime())) {
    throw ApplicationFailure.nonRetryable(
      `expected a UTC time such as 2025-05-04 or 2025-05-04T13:00:00Z, found ${text}`,
      'CUP_RANGE_INVALID',
    );
  }
  return time.toISOString().replace('.000Z', 'Z');
}

/** Reads a range; a bare date is midnight UTC. */
export function canonicalRange({ from, to }: Range): Range {
  const range = { from: canonicalTime(from), to: canonicalTime(to) };
  if (Date.parse(range.from) >= Date.parse(range.to)) {
    throw ApplicationFailure.nonRetryable(
      `expected from before to, found ${range.from} and ${range.to}`,
      'CUP_RANGE_INVALID',
    );
  }
  return range;
}

/** Whether two half-open ranges share a moment. */
export function overlaps(a: Range, b: Range): boolean {
  return Date.parse(a.from) < Date.parse(b.to) && Date.parse(b.from) < Date.parse(a.to);
}
