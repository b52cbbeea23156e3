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
    nulls.push({ key: id, value: rows - Number(row[`n${id}`] ?? 0) });
    const least = (row[`l${id}`] ?? null) as Value;
    const greatest = (row[`u${id}`] ?? null) as Value;
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

/** Statistics of local files, in one query: to plan one for each file takes longer than to read most of them. */
async function statsOf(
  scratch: Scratch,
  fields: readonly IcebergField[],
  files: readonly string[],
): Promise<Map<string, Stats>> {
  const parts = fields.flatMap((field) => [
    `count(${identifier(field.name)}) as n${field.id}`,
    `${bound(field, 'min')} as l${field.id}`,
    `${bound(field, 'max')} as u${field.id}`,
  ]);
  const rows = await scratch.query(
    `select filename, count(*) as rows, ${parts.join(', ')}
     from read_parquet([${files.map(literal).join(', ')}], filename = true) group by filename`,
  );
  return new Map(rows.map(({ filename, ...row }) => [String(filename), toStats(fields, row)]));
}

/** Name of the partition field of a key. */
export function partitionField(key: string): string {
  return `${key}_bucket`;
}

/** Rows of one bucket: a query whose columns are those of the table's schema. */
export interface BucketRows {
  bucket: number;
  select: string;
}

/** Where data files will belong: the folder of the table, and the columns that they get. */
type Target = Pick<IcebergTable, 'schema' | 'metadata'>;

/** Writes the rows of a query, sorted by key, as a local Parquet file with field ids. */
async function copySorted(
  scratch: Scratch,
  fields: readonly IcebergField[],
  key: string,
  select: string,
): Promise<string> {
  const local = scratch.path('parquet');
  const columns = fields.map((field) => identifier(field.name)).join(', ');
  await scratch.run(
    `copy (select ${columns} from (${select}) order by ${identifier(key)})
     to ${literal(local)} (format parquet, compression zstd, field_ids ${fieldIds(fields)})`,
  );
  return local;
}

async function uploadDataFile(
  scratch: Scratch,
  { metadata }: Target,
  { bucket, partition, local }: { bucket: number; partition: DataFile['partition']; local: string },
): Promise<Omit<DataFile, keyof Stats>> {
  // No `name=value` folders: readers that guess Hive partitions from paths would add a column.
  const uri = `${metadata.location}/data/bucket-${bucket}/${randomUUID()}.parquet`;
  return {
    content: 0,
    file_path: uri,
    file_format: 'PARQUET',
    partition,
    file_size_in_bytes: await scratch.upload(local, uri),
    column_sizes: null,
    nan_value_counts: null,
    key_metadata: null,
    split_offsets: null,
    equality_ids: null,
    sort_order_id: null,
  };
}

/** Writes a data file of the table for each of these, its rows sorted by key, with field ids, counts and bounds. */
export async function writeDataFiles(
  scratch: Scratch,
  table: Target,
  key: string,
  parts: readonly BucketRows[],
): Promise<DataFile[]> {
  if (!parts.length) return [];
  const { fields } = table.schema;
  const locals: string[] = [];
  for (const { select } of parts) locals.push(await copySorted(scratch, fields, key, select));
  const uploads = parts.map(({ bucket }, index) =>
    uploadDataFile(scratch, table, {
      bucket,
      partition: { [partitionField(key)]: bucket },
      local: locals[index] ?? '',
    }),
  );
  const [stats, files] = await Promise.all([statsOf(scratch, fields, locals), Promise.all(uploads)]);
  // A file without rows has no group: there is no least of nothing.
  return files.map((file, index) => ({ ...file, ...(stats.get(locals[index] ?? '') ?? toStats(fields, { rows: 0 })) }));
}

/** Writes one data file as {@link writeDataFiles} does. */
export async function writeDataFile(
  scratch: Scratch,
  table: Target,
  key: string,
  bucket: number,
  select: string,
): Promise<DataFile> {
  const [file] = await writeDataFiles(scratch, table, key, [{ bucket, select }]);
  if (!file) throw new Error('a part without a data file');
  return file;
}

/** Bucket of a data file. */
export function bucketOfFile(file: DataFile, key: string): number {
  return Number(file.partition[partitionField(key)]);
}
