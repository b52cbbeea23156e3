import { JSONParse } from 'json-with-bigint';
import type { Column, Columns } from './columns.ts';

const DAY_MS = 86_400_000;

/** A number of microseconds since 1970 as a timestamp. */
export function timestampOf(micros: number | bigint): string {
  const all = BigInt(micros);
  const seconds = all / 1_000_000n - (all % 1_000_000n < 0n ? 1n : 0n);
  const fraction = String(all - seconds * 1_000_000n).padStart(6, '0');
  return `${new Date(Number(seconds) * 1_000).toISOString().slice(0, 19)}.${fraction}Z`;
}

/** A number of days since 1970 as a date. */
export function dateOf(days: number): string {
  return new Date(days * DAY_MS).toISOString().slice(0, 10);
}

/**
 * The row of a message that is a JSON object with a field per column.
 *
 * @param drop whether fields without a column are left out
 * @throws Error, with the field, for one that the columns do not take
 */
export function jsonRow(text: string, columns: Columns, drop: boolean): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSONParse(text);
  } catch {
    throw new Error('data is no JSON');
  }
  return recordOf(value, columns, drop, 'the message');
}

function recordOf(value: unknown, columns: Columns, drop: boolean, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${path} is no JSON object`);
  const row: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const column = columns.get(name.toLowerCase());
    if (column) row[column.name] = valueOf(field, column, drop);
    else if (!drop) throw new Error(`the table has no column ${name}`);
  }
  for (const { name, mode } of columns.values())
    if (mode === 'REQUIRED' && (row[name] ?? null) === null)
      throw new Error(`the required column ${name} has no value`);
  return row;
}

function valueOf(value: unknown, column: Column, drop: boolean): unknown {
  if (column.mode === 'REPEATED') {
    if (!Array.isArray(value)) throw unfit(column);
    return value.map((one) => valueOf(one, { ...column, mode: 'REQUIRED' }, drop));
  }
  if (value === null) return null;
  if (column.type === 'RECORD') return recordOf(value, column.fields, drop, column.name);
  const written = SCALARS[column.type]?.(value as never);
  if (written === undefined) throw unfit(column);
  return written;
}

function unfit({ name, type, mode }: Column): Error {
  return new Error(`the value of ${name} does not fit ${mode === 'REPEATED' ? 'REPEATED ' : ''}${type}`);
}

const isWhole = (value: unknown): value is number | bigint => typeof value === 'bigint' || Number.isInteger(value);

const isNumber = (value: unknown): value is number | bigint => typeof value === 'bigint' || typeof value === 'number';

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function decimal(value: unknown): string | undefined {
  if (isNumber(value)) return String(value);
  return typeof value === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? value : undefined;
}

function float(value: unknown): number | string | undefined {
  if (isNumber(value)) return Number(value);
  return typeof value === 'string' && /^([+-]?inf(inity)?|nan)$/i.test(value) ? value : undefined;
}

function temporal(pattern: RegExp, ofNumber: (value: number | bigint) => string | undefined) {
  return (value: unknown): string | undefined =>
    typeof value === 'string'
      ? pattern.test(value)
        ? value
        : undefined
      : isWhole(value)
        ? ofNumber(value)
        : undefined;
}

const DATE = /^\d{4}-\d{1,2}-\d{1,2}$/;
const TIME = /^\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,6})?$/;
const DATETIME = /^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,6})?$/i;
const TIMESTAMP =
  /^\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,9})?)?( ?(Z|UTC|[+-]\d{1,2}(:?\d{2})?))?$/i;

/** What insertAll takes for a JSON value, by type of the column; undefined: it does not fit. */
const SCALARS: Record<string, (value: unknown) => unknown> = {
  STRING: text,
  INTEGER: (value) => (isWhole(value) ? String(value) : undefined),
  FLOAT: float,
  NUMERIC: decimal,
  BIGNUMERIC: decimal,
  BOOLEAN: (value) => (typeof value === 'boolean' ? value : undefined),
  BYTES: (value) => (typeof value === 'string' && /^[\w+/-]*={0,2}$/.test(value) ? value : undefined),
  // An escaped JSON string, as Pub/Sub wants it.
  JSON: (value) => (typeof value === 'string' && isJson(value) ? value : undefined),
  DATE: temporal(DATE, (days) => dateOf(Number(days))),
  TIME: temporal(TIME, () => undefined),
  DATETIME: temporal(DATETIME, () => undefined),
  TIMESTAMP: temporal(TIMESTAMP, timestampOf),
};

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}
