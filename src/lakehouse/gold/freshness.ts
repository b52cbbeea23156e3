const DAY_MS = 24 * 3_600_000;

/** How fresh one table of Gold is. */
export interface TableFreshness {
  /** `<dataset>.<name>` */
  table: string;
  /** `unpromised`: the contracts promise nothing. */
  state: 'fresh' | 'stale' | 'unpromised';
  /** Newest time that the table reaches, ISO 8601; null where it has no row. */
  newest: string | null;
  /** What `newest` is: the newest value that the table is partitioned by, or when it was written. */
  by: 'event time' | 'materialization';
  /** Seconds from `newest` to the end of the day that was asked for, at least 0. */
  ageSeconds: number | null;
  /** Seconds that the contract allows. */
  promisedSeconds: number | null;
}

/** The newest value of a partition column as the end of what it stands for: a DATE stands for its whole day. */
export function newestTime(value: unknown): number | undefined {
  const text =
    value !== null && typeof value === 'object' && 'value' in value ? String(value.value) : String(value ?? '');
  const time = Date.parse(text);
  if (Number.isNaN(time)) return undefined;
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? time + DAY_MS : time;
}

/**
 * Judges a table against what is promised. Measured at the end of the day that Gold was made for, or when Silver was read if
 * that was earlier: so making an old day again says nothing about today.
 *
 * @param newestMs undefined: the table has no row
 * @param promisedMs undefined: nothing is promised
 */
export function judgeFreshness(
  table: string,
  { newestMs, by }: { newestMs: number | undefined; by: TableFreshness['by'] },
  { date, asOf }: { date: string; asOf: string },
  promisedMs: number | undefined,
): TableFreshness {
  const measuredAt = Math.min(Date.parse(`${date}T00:00:00Z`) + DAY_MS, Date.parse(asOf));
  const ageMs = newestMs === undefined ? undefined : Math.max(0, measuredAt - newestMs);
  const state = promisedMs === undefined ? 'unpromised' : (ageMs ?? Infinity) <= promisedMs ? 'fresh' : 'stale';
  return {
    table,
    state,
    newest: newestMs === undefined ? null : new Date(newestMs).toISOString(),
    by,
    ageSeconds: ageMs === undefined ? null : Math.round(ageMs / 1000),
    promisedSeconds: promisedMs === undefined ? null : promisedMs / 1000,
  };
}
