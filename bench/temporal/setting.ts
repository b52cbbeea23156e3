import path from 'node:path';
import { PROJECT } from '../../scripts/tools.ts';
import { BUCKETS } from '../../local/buckets.ts';

/** The source that is backfilled, and its feed of one object an hour. */
export const SOURCE = 'earthquakes';
export const FEED = 'all_hour';

const FIRST = Date.UTC(2025, 4, 4);
const HOUR = 3_600_000;

/** The hours of so many partitions. */
export function hours(partitions: number): Date[] {
  return Array.from({ length: partitions }, (_, number) => new Date(FIRST + number * HOUR));
}

/** The range that holds so many hourly partitions. */
export function rangeOf(partitions: number): { from: string; to: string } {
  const time = (number: number): string => new Date(FIRST + number * HOUR).toISOString().replace('.000Z', 'Z');
  return { from: time(0), to: time(partitions) };
}

/** Namespace of Temporal. */
export const NAMESPACE = 'cupel';

/** The environment of Cupel's processes, but for the addresses of servers. */
export const COMMON = {
  CUPEL_PROJECT: 'cupel-bench',
  CUPEL_BRONZE_BUCKET: BUCKETS.bronze,
  CUPEL_SILVER_BUCKET: BUCKETS.silver,
  CUPEL_OPS_BUCKET: BUCKETS.ops,
  CUPEL_QUARANTINE_BUCKET: BUCKETS.quarantine,
  CUPEL_CONTRACTS_DIR: path.join(PROJECT, 'sources'),
  CUPEL_PRICES_FILE: path.join(PROJECT, 'prices.yaml'),
  TEMPORAL_NAMESPACE: NAMESPACE,
} as const;
