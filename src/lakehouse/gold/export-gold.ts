import type { BigQuery } from '@google-cloud/bigquery';
import { googleError, isNotFound } from '../../gcp/errors.ts';

/** Tables of Gold, and the column that each is sorted by. */
export const GOLD_TABLES = [
  { name: 'daily_seismicity', key: 'event_date', columns: ['event_date', 'events', 'max_magnitude', 'mean_depth_km'] },
  {
    name: 'revision_latency',
    key: 'event_date',
    columns: ['event_date', 'events', 'revised_events', 'p50_minutes', 'p95_minutes'],
  },
] as const;

/** A table of Gold. */
export type GoldTable = (typeof GOLD_TABLES)[number];

/** DATE and other types of the client come as objects with the text in `value`. */
function toJson(value: unknown): string {
  if (value !== null && typeof value === 'object' && 'value' in value) return JSON.stringify(value.value);
  return JSON.stringify(value ?? null);
}

/** A table of Gold as NDJSON lines: columns in declared order, sorted by its key, DATE as `YYYY-MM-DD`; none while it is not there. */
export async function exportGold(bigquery: BigQuery, table: GoldTable): Promise<string[]> {
  const query = `SELECT ${table.columns.join(', ')} FROM \`gold.${table.name}\` ORDER BY ${table.key}`;
  try {
    const [job] = await bigquery.createQueryJob({ query });
    const [rows] = await job.getQueryResults();
    return (rows as Record<string, unknown>[]).map(
      (row) => `{${table.columns.map((column) => `${JSON.stringify(column)}:${toJson(row[column])}`).join(',')}}\n`,
    );
  } catch (error) {
    if (isNotFound(error)) return []; // Dataform has not run yet
    throw googleError('BigQuery', `export of gold.${table.name}`, error);
  }
}
