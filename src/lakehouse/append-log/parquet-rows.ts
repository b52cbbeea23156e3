import { parquetReadObjects } from 'hyparquet';
import { systemColumns } from '../../contracts/index.ts';
import type { ColumnType, CompiledContract, Row, Value } from '../../contracts/index.ts';

const DECODE: Partial<Record<ColumnType, (value: unknown) => Value>> = {
  long: (value) => Number(value),
  binary: (value) => Buffer.from(value as Uint8Array).toString('hex'),
};

/** Rows of a Parquet file that we wrote: a delta, or an object of a log. */
export async function decodeParquetRows(contract: CompiledContract, bytes: Buffer): Promise<Row[]> {
  const columns = [...contract.columns, ...systemColumns(contract)];
  const { buffer, byteOffset, length } = bytes;
  const objects = await parquetReadObjects({
    file: buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer,
    // Bytes stay bytes: only what is annotated as text is text.
    utf8: false,
    // A Date has milliseconds only.
    parsers: { timestampFromMicroseconds: (micros: bigint) => micros } as object,
  });
  return objects.map((object) => {
    const row: Row = {};
    for (const { name, type } of columns) {
      const value: unknown = object[name] ?? null;
      row[name] = value === null ? null : (DECODE[type]?.(value) ?? (value as Value));
    }
    return row;
  });
}
