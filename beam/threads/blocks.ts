import { deserialize, serialize } from 'node:v8';
import type { Row, Value } from '../../src/contracts/index.ts';

/** Values of a column, row by row; of a column that says the same again and again, each value once and where it stands. */
type ColumnValues = Value[] | { distinct: Value[]; codes: Uint32Array };

/** A block, column by column: names are written once, and not for each row. */
interface Columns {
  rows: number;
  columns: [name: string, values: ColumnValues][];
}

/** Rows for each distinct value from which on saying where it stands is shorter. */
const REPEATED = 4;

/** The values of a column in their shorter form; the one without codes as soon as it is clear that there are too many. */
function shorter(values: Value[]): ColumnValues {
  const most = values.length / REPEATED;
  const known = new Map<Value, number>();
  const codes = new Uint32Array(values.length);
  for (const [at, value] of values.entries()) {
    if (Object.is(value, -0)) return values; // a Map takes it for 0, whichever came first
    let code = known.get(value);
    if (code === undefined) {
      if (known.size >= most) return values;
      known.set(value, (code = known.size));
    }
    codes[at] = code;
  }
  return { distinct: [...known.keys()], codes };
}

/**
 * Rows, all of the same columns, as a block: V8's own format, which keeps 64-bit integers. Written and read within one
 * job, so by one Node.
 */
export function encodeBlock(rows: Row[]): Buffer {
  const names = Object.keys(rows[0] ?? {});
  const columns = names.map((name): [string, ColumnValues] => [name, shorter(rows.map((row) => row[name] ?? null))]);
  return serialize({ rows: rows.length, columns } satisfies Columns);
}

function valuesOf(values: ColumnValues): (row: number) => Value {
  if (Array.isArray(values)) return (row) => values[row] ?? null;
  const { distinct, codes } = values;
  return (row) => distinct[codes[row] ?? 0] ?? null;
}

export function decodeBlock(bytes: Uint8Array): Row[] {
  const { rows: count, columns } = deserialize(bytes) as Columns;
  const readers = columns.map(([name, values]) => ({ name, valueAt: valuesOf(values) }));
  return Array.from({ length: count }, (_, at) => {
    const row: Row = {};
    for (const { name, valueAt } of readers) row[name] = valueAt(at);
    return row;
  });
}
