import { randomUUID } from 'node:crypto';
import type { DuckDBValue } from '@duckdb/node-api';
import type { IcebergField } from '../../contracts/index.ts';
import type { Value } from '../../contracts/row.ts';
import { lowerBound, upperBound } from '../iceberg/index.ts';
import type { ByField, DataFile, IcebergTable } from '../iceberg/index.ts';
import { identifier, literal } from './scratch.ts';
import type { Scratch } from './scratch.ts';

/** Bounds are read as text or numbers that lose nothing: microseconds for times, hex for bytes. */
function bound(field: IcebergField, aggregate: 'min' | 'max'): string {
  const name = identifier(field.name);
  if (field.type === 'timestamptz') return `epoch_us(${aggregate}(${name}))`;
  if (field.type === 'binary') return `lower(hex(${aggregate}(${name})))`;
  return `${aggregate}(${name})`;
}

function fieldIds(fields: readonly IcebergField[]): string {
  return `{${fields.map((field) => `${literal(field.name)}: ${field.id}`).join(', ')}}`;
}

type Stats = Pick<DataFile, 'value_counts' | 'null_value_counts' | 'lower_bounds' | 'upper_bounds' | 'record_count'>;

function toStats(fields: readonly IcebergField[], row: Record<string, DuckDBValue>): Stats {
  const rows = Number(row.rows);
  const nulls: ByField<number>[] = [];
  const lower: ByField<Buffer>[] = [];
  const upper: ByField<Buffer>[] = [];
  for (const { id, type } of fields) {
    nulls.push({ key: id, value: rows - Number(row[`n${id}`]) });
    const least = row[`l${id}`] as Value;
    const greatest = row[`u${id}`] as Value;
    if (least !== null) lower.push({ key: id, value: lowerBound(type, least) });
    const upperBytes = greatest === null ? undefined : upperBound(type, greatest);
    if (upperBytes) upper.push({ key: id, value: upperBytes });
  }
  const counts = fields.map(({ id }) => ({ key: id, value: rows }));
  return {
    record_count: rows,
    value_counts: counts,
    null_value_counts: nulls,
    lower_bounds: lower,
    upper_bounds: upper,
  };
}

async function stats(scratch: Scratch, fields: readonly IcebergField[], file: string): Promise<Stats> {
  const parts = fields.flatMap((field) => [
    `count(${identifier(field.name)}) as n${field.id}`,
    `${bound(field, 'min')} as l${field.id}`,
    `${bound(field, 'max')} as u${field.id}`,
  ]);
  const [row] = await scratch.query(`select count(*) as rows, ${parts.join(', ')} from read_parquet(${literal(file)})`);
  return toStats(fields, row ?? {});
}

/** Name of the partition field of a key. */
export function partitionField(key: string): string {
  return `${key}_bucket`;
}

/**
 * Writes the rows of a query, sorted by key, as one data file of the table, with field ids, counts and bounds.
 *
 * @param table where it will belong: its folder, and the columns that the file gets
 * @param select a query whose columns are those of the table's schema
 */
export async function writeDataFile(
  scratch: Scratch,
  table: Pick<IcebergTable, 'schema' | 'metadata'>,
  key: string,
  bucket: number,
  select: string,
): Promise<DataFile> {
  const { fields } = table.schema;
  const local = scratch.path('parquet');
  const columns = fields.map((field) => identifier(field.name)).join(', ');
  await scratch.run(
    `copy (select ${columns} from (${select}) order by ${identifier(key)})
     to ${literal(local)} (format parquet, compression zstd, field_ids ${fieldIds(fields)})`,
  );
  // No `name=value` folders: readers that guess Hive partitions from paths would add a column.
  const uri = `${table.metadata.location}/data/bucket-${bucket}/${randomUUID()}.parquet`;
  const [found, bytes] = await Promise.all([stats(scratch, fields, local), scratch.upload(local, uri)]);
  return {
    content: 0,
    file_path: uri,
    file_format: 'PARQUET',
    partition: { [partitionField(key)]: bucket },
    file_size_in_bytes: bytes,
    column_sizes: null,
    nan_value_counts: null,
    key_metadata: null,
    split_offsets: null,
    equality_ids: null,
    sort_order_id: null,
    ...found,
  };
}

/** Bucket of a data file. */
export function bucketOfFile(file: DataFile, key: string): number {
  return Number(file.partition[partitionField(key)]);
}
