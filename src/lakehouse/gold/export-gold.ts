import { BigQueryTimestamp } from '@google-cloud/bigquery';
import type { BigQuery } from '@google-cloud/bigquery';
import { googleError, isNotFound } from '../../gcp/errors.ts';
import { formatTimestamp } from '../format.ts';

/** A table or view of Gold. */
export interface GoldTable {
  name: string;
  /** Columns that an export is sorted by. */
  key: readonly string[];
  columns: readonly string[];
}

/** Tables of Gold. */
export const GOLD_TABLES: readonly GoldTable[] = [
  {
    name: 'daily_seismicity',
    key: ['event_date'],
    columns: ['event_date', 'events', 'max_magnitude', 'mean_depth_km'],
  },
  {
    name: 'revision_latency',
    key: ['event_date'],
    columns: ['event_date', 'events', 'revised_events', 'p50_minutes', 'p95_minutes'],
  },
  {
    name: 'networks',
    key: ['network'],
    columns: [
      'network',
      'name',
      'operator',
      'region',
      'stations',
      'active',
      'updated_at',
      'earthquakes',
      'last_event_time',
    ],
  },
  {
    name: 'felt_by_event',
    key: ['event_id'],
    columns: [
      'event_id',
      'event_time',
      'place',
      'magnitude',
      'reports',
      'max_intensity',
      'mean_intensity',
      'first_felt_at',
      'last_felt_at',
    ],
  },
  {
    name: 'repo_activity',
    key: ['activity_date', 'repository'],
    columns: ['activity_date', 'repository', 'events', 'pushes', 'issues_opened', 'comments', 'stars', 'people'],
  },
  {
    name: 'repo_events',
    key: ['repository', 'event_type'],
    columns: ['repository', 'event_type', 'events', 'last_received_at'],
  },
];

/** Tables of Silver that Dataform makes in BigQuery (ELT). */
export const NATIVE_SILVER_TABLES: readonly GoldTable[] = [
  {
    name: 'github_events',
    key: ['delivery_id'],
    columns: [
      'delivery_id',
      'event_type',
      'received_at',
      'action',
      'repository_id',
      'repository',
      'sender_id',
      'sender',
      'payload',
    ],
  },
];

/** The client prints microseconds only where there are some; exports always have six digits. */
function timestampText({ value }: BigQueryTimestamp): string {
  const [, seconds = '', fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(value) ?? [];
  return formatTimestamp(BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(fraction.slice(0, 6).padEnd(6, '0')));
}

/** DATE and other types of the client come as objects with the text in `value`. */
function toJson(value: unknown): string {
  if (value instanceof BigQueryTimestamp) return JSON.stringify(timestampText(value));
  if (value !== null && typeof value === 'object' && 'value' in value) return JSON.stringify(value.value);
  return JSON.stringify(value ?? null);
}

/**
 * A table of Gold as NDJSON lines: columns in declared order, sorted by its key, DATE as `YYYY-MM-DD`; none while it is not there.
 *
 * @param dataset where it is: `silver` for what Dataform makes there
 */
export async function exportGold(
  bigquery: BigQuery,
  table: GoldTable,
  dataset: 'gold' | 'silver' = 'gold',
): Promise<string[]> {
  const query = `SELECT ${table.columns.join(', ')} FROM \`${dataset}.${table.name}\` ORDER BY ${table.key.join(', ')}`;
  try {
    const [job] = await bigquery.createQueryJob({ query });
    const [rows] = await job.getQueryResults();
    return (rows as Record<string, unknown>[]).map(
      (row) => `{${table.columns.map((column) => `${JSON.stringify(column)}:${toJson(row[column])}`).join(',')}}\n`,
    );
  } catch (error) {
    if (isNotFound(error)) return []; // Dataform has not run yet
    throw googleError('BigQuery', `export of ${dataset}.${table.name}`, error);
  }
}
