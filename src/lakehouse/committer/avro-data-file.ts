import type { ColumnType, IcebergField, Row, Value } from '../../contracts/index.ts';
import { readContainerWithSchema } from '../../formats/avro-container.ts';
import { encodeParquet } from '../deltas/index.ts';

/** The part of an Avro schema that Iceberg writes and that is read here (Iceberg spec, appendix A "Avro"). */
interface AvroRecord {
  fields: { name: string; 'field-id'?: number }[];
}

const DECODE: Partial<Record<ColumnType, (value: unknown) => Value>> = {
  binary: (value) => Buffer.from(value as Uint8Array).toString('hex'),
  timestamptz: (value) => BigInt(value as number | bigint),
};

function decode(type: ColumnType, value: unknown): Value {
  if (value === null || value === undefined) return null;
  return DECODE[type]?.(value) ?? (value as Value);
}

/**
 * An Avro data file of an Iceberg table as Parquet, with the columns of a schema. Fields are found by Iceberg's field id,
 * since a writer changes names that Avro does not allow; a column that the file does not have is null.
 */
export async function avroToParquet(fields: readonly IcebergField[], bytes: Buffer): Promise<Uint8Array> {
  const { schema, records } = await readContainerWithSchema<Record<string, unknown>>(bytes);
  const names = new Map((schema as AvroRecord).fields.map((field) => [field['field-id'], field.name]));
  const rows = records.map((record): Row =>
    Object.fromEntries(fields.map(({ id, name, type }) => [name, decode(type, record[names.get(id) ?? ''])])),
  );
  return encodeParquet(fields, rows);
}
