import { systemColumns } from '../../contracts/index.ts';
import type { Column, ColumnType, CompiledContract, Row, Value } from '../../contracts/index.ts';
import { readContainer, writeContainer } from '../../formats/avro-container.ts';

const AVRO: Record<ColumnType, unknown> = {
  string: 'string',
  long: 'long',
  int: 'int',
  double: 'double',
  boolean: 'boolean',
  timestamptz: { type: 'long', logicalType: 'timestamp-micros' },
  binary: 'bytes',
};

const columnsOf = (contract: CompiledContract): Column[] => [...contract.columns, ...systemColumns(contract)];

/** Avro schema of a log: a field per column, in order; one that may be null is a union with null first. */
export function avroSchema(contract: CompiledContract): object {
  return {
    type: 'record',
    namespace: `cupel.${contract.sink.namespace}`,
    name: contract.sink.table,
    fields: columnsOf(contract).map(({ name, type, required, doc }) => ({
      name,
      type: required ? AVRO[type] : ['null', AVRO[type]],
      ...(required ? {} : { default: null }),
      ...(doc ? { doc } : {}),
    })),
  };
}

function encode({ type }: Column, value: Value): unknown {
  return type === 'binary' && value !== null ? Buffer.from(String(value), 'hex') : value;
}

function decode({ type }: Column, value: unknown): Value {
  if (value === null || value === undefined) return null;
  if (type === 'binary') return Buffer.from(value as Uint8Array).toString('hex');
  return type === 'timestamptz' ? BigInt(value as number | bigint) : (value as Value);
}

/** Rows as an Avro object container file, deflated. */
export function encodeAvroRows(contract: CompiledContract, rows: readonly Row[]): Buffer {
  const columns = columnsOf(contract);
  const records = rows.map((row) =>
    Object.fromEntries(columns.map((column) => [column.name, encode(column, row[column.name] ?? null)])),
  );
  return writeContainer(avroSchema(contract), {}, records);
}

/** Rows of a file that {@link encodeAvroRows} wrote. */
export async function decodeAvroRows(contract: CompiledContract, bytes: Buffer): Promise<Row[]> {
  const columns = columnsOf(contract);
  const records = await readContainer<Record<string, unknown>>(bytes);
  return records.map((record) =>
    Object.fromEntries(columns.map((column) => [column.name, decode(column, record[column.name])])),
  );
}
