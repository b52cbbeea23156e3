import { parquetWriteBuffer } from 'hyparquet-writer';
import { systemColumns } from '../../contracts/index.ts';
import type { Column, ColumnType, CompiledContract, Row, Value } from '../../contracts/index.ts';

type SchemaElement = NonNullable<Parameters<typeof parquetWriteBuffer>[0]['schema']>[number];

const PARQUET: Record<ColumnType, Omit<SchemaElement, 'name'>> = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  long: { type: 'INT64' },
  int: { type: 'INT32' },
  double: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
  // Adjusted to UTC, as Iceberg's timestamptz is.
  timestamptz: { type: 'INT64', converted_type: 'TIMESTAMP_MICROS' },
  binary: { type: 'BYTE_ARRAY' },
};

const ENCODE: Partial<Record<ColumnType, (value: Exclude<Value, null>) => unknown>> = {
  long: (value) => BigInt(value),
  binary: (value) => Buffer.from(String(value), 'hex'),
};

/**
 * Writes rows as one Parquet file with these columns in this order. Snappy; synchronous, for worker threads.
 *
 * @param statistics whether the file tells least and greatest values, which takes as long again. Default true
 */
export function encodeParquet(
  columns: readonly Pick<Column, 'name' | 'type' | 'required'>[],
  rows: readonly Row[],
  statistics = true,
): Uint8Array {
  const schema: SchemaElement[] = [{ name: 'root', num_children: columns.length }];
  for (const column of columns) {
    schema.push({
      name: column.name,
      repetition_type: column.required ? 'REQUIRED' : 'OPTIONAL',
      ...PARQUET[column.type],
    });
  }
  const columnData = columns.map(({ name, type }) => {
    const encode = ENCODE[type];
    const data = rows.map((row) => row[name] ?? null);
    return { name, data: encode ? data.map((value) => (value === null ? null : encode(value))) : data };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData, schema, statistics }));
}

/**
 * Writes reduced rows as one Parquet file: the contract's columns, then the system columns. Without statistics, since a delta is
 * read whole.
 */
export function encodeDelta(contract: CompiledContract, rows: readonly Row[]): Uint8Array {
  return encodeParquet([...contract.columns, ...systemColumns(contract)], rows, false);
}
