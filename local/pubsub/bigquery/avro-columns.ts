import type { Column, Columns } from './columns.ts';
import { dateOf, timestampOf } from './json-columns.ts';

interface Node {
  type: string;
  logicalType?: string;
  name?: string;
  scale?: number;
  fields?: { name: string; type: unknown }[];
  items?: unknown;
  values?: unknown;
  symbols?: string[];
}

/** Columns that an Avro type may go to, as Google lists them. */
const FITS: Record<string, string[]> = {
  boolean: ['BOOLEAN'],
  int: ['INTEGER', 'NUMERIC', 'BIGNUMERIC'],
  long: ['INTEGER', 'NUMERIC', 'BIGNUMERIC'],
  float: ['FLOAT', 'NUMERIC', 'BIGNUMERIC'],
  double: ['FLOAT', 'NUMERIC', 'BIGNUMERIC'],
  bytes: ['BYTES', 'NUMERIC', 'BIGNUMERIC'],
  fixed: ['BYTES', 'NUMERIC', 'BIGNUMERIC'],
  string: ['STRING', 'JSON', 'TIMESTAMP', 'DATETIME', 'DATE', 'TIME', 'NUMERIC', 'BIGNUMERIC'],
  enum: ['INTEGER'],
  record: ['RECORD'],
  map: ['RECORD'],
  'timestamp-micros': ['TIMESTAMP'],
  'timestamp-millis': ['TIMESTAMP'],
  date: ['DATE'],
  'time-micros': ['TIME'],
  'time-millis': ['TIME'],
  decimal: ['NUMERIC', 'BIGNUMERIC'],
};

/** The type that a schema names; null where it may be left out, too. */
function read(schema: unknown): { node: Node | undefined; optional: boolean } {
  if (typeof schema === 'string') return { node: { type: schema }, optional: false };
  if (!Array.isArray(schema)) {
    const node = schema as Node;
    return typeof node.type === 'string' ? { node, optional: false } : read(node.type);
  }
  const others = schema.filter((one) => one !== 'null');
  // Only the union of one type with null has a column.
  return { node: others.length === 1 ? read(others[0]).node : undefined, optional: others.length < schema.length };
}

/**
 * Whether the fields of an Avro record have columns to go to.
 *
 * @param drop whether fields without a column are left out
 */
export function avroFits(schema: unknown, columns: Columns, drop: boolean): boolean {
  const { node } = read(schema);
  if (node?.type !== 'record') return false;
  const fields = node.fields ?? [];
  const known = new Set(fields.map(({ name }) => name.toLowerCase()));
  const othersNullable = [...columns].every(([name, { mode }]) => known.has(name) || mode !== 'REQUIRED');
  return othersNullable && fields.every(({ name, type }) => fieldFits(type, columns.get(name.toLowerCase()), drop));
}

function fieldFits(schema: unknown, column: Column | undefined, drop: boolean): boolean {
  if (!column) return drop;
  const { node, optional } = read(schema);
  if (!node || (optional && column.mode !== 'NULLABLE')) return false;
  if (node.type === 'array')
    return column.mode === 'REPEATED' && fieldFits(node.items, { ...column, mode: 'REQUIRED' }, drop);
  if ((node.type === 'map') !== (column.mode === 'REPEATED')) return false;
  if (!FITS[kindOf(node)]?.includes(column.type)) return false;
  return node.type === 'record' ? avroFits(node, column.fields, drop) : true;
}

const kindOf = ({ type, logicalType }: Node): string => (logicalType && logicalType in FITS ? logicalType : type);

/** What insertAll takes for an Avro value that `avroFits` has found to fit; fields without a column are left out. */
export function avroValue(schema: unknown, value: unknown, columns: Columns): unknown {
  const { node } = read(schema);
  const row: Record<string, unknown> = {};
  for (const { name, type } of node?.fields ?? []) {
    const column = columns.get(name.toLowerCase());
    if (column) row[column.name] = cell(type, (value as Record<string, unknown>)[name], column);
  }
  return row;
}

function cell(schema: unknown, value: unknown, column: Column): unknown {
  if (value === null) return null;
  const { node } = read(schema);
  if (node?.type === 'record') return avroValue(node, value, column.fields);
  if (node?.type === 'array') return (value as unknown[]).map((one) => cell(node.items, one, column));
  if (node?.type === 'map') return pairs(node, value as Record<string, unknown>, column);
  return node ? scalar(node, value) : undefined;
}

/** A map is a repeated record of keys and values. */
function pairs(node: Node, value: Record<string, unknown>, column: Column): object[] {
  const inner = column.fields.get('value');
  return Object.entries(value).map(([key, one]) => ({
    key,
    ...(inner ? { value: cell(node.values, one, inner) } : {}),
  }));
}

function scalar(node: Node, value: unknown): unknown {
  switch (kindOf(node)) {
    case 'timestamp-micros':
      return timestampOf(value as number | bigint);
    case 'timestamp-millis':
      return timestampOf(BigInt(value as number) * 1_000n);
    case 'date':
      return dateOf(value as number);
    case 'time-micros':
      return timeOf(Number(value));
    case 'time-millis':
      return timeOf(Number(value) * 1_000);
    case 'decimal':
      return decimalOf(value as Uint8Array, node.scale ?? 0);
    case 'enum':
      return node.symbols?.indexOf(value as string);
    case 'bytes':
    case 'fixed':
      return Buffer.from(value as Uint8Array).toString('base64');
    case 'long':
      return String(value);
    default:
      return value;
  }
}

/** Microseconds since midnight as a time of day. */
function timeOf(micros: number): string {
  return timestampOf(micros).slice(11, -1);
}

/** An unscaled number, two's complement, the highest byte first. */
function decimalOf(bytes: Uint8Array, scale: number): string {
  const unscaled = BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const point = digits.length - scale;
  const fraction = scale ? `.${digits.slice(point)}` : '';
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${fraction}`;
}
