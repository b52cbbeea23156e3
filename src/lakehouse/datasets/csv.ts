import type { DuckDBValue } from '@duckdb/node-api';
import { formatTimestamp } from '../format.ts';

/** A field of RFC 4180: quoted where it must be; null is empty, an empty text is `""`. */
function field(value: DuckDBValue): string {
  if (value === null) return '';
  const text = typeof value === 'number' ? JSON.stringify(value) : String(value);
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A column of the dataset: `timestamp` ones hold microseconds since 1970 in UTC. */
export interface CsvColumn {
  name: string;
  timestamp: boolean;
}

/** The header line. */
export function csvHeader(columns: readonly CsvColumn[]): string {
  return `${columns.map(({ name }) => field(name)).join(',')}\r\n`;
}

/** One line; times as in other exports, RFC 3339 in UTC with microseconds. */
export function csvLine(columns: readonly CsvColumn[], row: readonly DuckDBValue[]): string {
  const fields = row.map((value, index) =>
    field(columns[index]?.timestamp && typeof value === 'bigint' ? formatTimestamp(value) : value),
  );
  return `${fields.join(',')}\r\n`;
}
