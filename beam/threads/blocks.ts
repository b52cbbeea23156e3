import { deserialize, serialize } from 'node:v8';
import type { Row, Value } from '../../src/contracts/index.ts';

/** A block, column by column: names are written once, and not for each row. */
interface Columns {
  rows: number;
  columns: [name: string, values: Value[]][];
}

/**
 * Rows, all of the same columns, as a staged block: V8's own format, which keeps 64-bit integers. Written and read within one
 * job, so by one Node.
 */
export function encodeBlock(rows: Row[]): Buffer {
  const names = Object.keys(rows[0] ?? {});
  const columns = names.map((name): [string, Value[]] => [name, rows.map((row) => row[name] ?? null)]);
  return serialize({ rows: rows.length, columns } satisfies Columns);
}

export function decodeBlock(bytes: Uint8Array): Row[] {
  const { rows: count, columns } = deserialize(bytes) as Columns;
  const rows = Array.from({ length: count }, (): Row => ({}));
  for (const [name, values] of columns) rows.forEach((row, index) => (row[name] = values[index] ?? null));
  return rows;
}
