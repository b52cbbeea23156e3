import { randomUUID } from 'node:crypto';
import { bucketOf } from '../../src/contracts/index.ts';
import type { CompiledContract, IcebergField, Row, Value } from '../../src/contracts/index.ts';
import { writeContainer } from '../../src/formats/avro-container.ts';
import { ensureSilverTable } from '../../src/lakehouse/committer/index.ts';
import type { CommitterResources } from '../../src/lakehouse/committer/index.ts';
import type { DataFile } from '../../src/lakehouse/iceberg/index.ts';

const AVRO: Record<IcebergField['type'], unknown> = {
  string: 'string',
  long: 'long',
  int: 'int',
  double: 'double',
  boolean: 'boolean',
  timestamptz: { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true },
  binary: 'bytes',
};

/** The schema of an Avro data file as Iceberg's own writers make it; names that only its writer knows, so that ids must do. */
function avroSchema(fields: readonly IcebergField[]): object {
  return {
    type: 'record',
    name: 'table',
    fields: fields.map(({ id, name, type, required }) => ({
      name: `written_${name}`,
      type: required ? AVRO[type] : ['null', AVRO[type]],
      ...(required ? {} : { default: null }),
      'field-id': id,
    })),
  };
}

function avroValue({ type }: IcebergField, value: Value): unknown {
  return type === 'binary' && value !== null ? Buffer.from(String(value), 'hex') : value;
}

/** Commits rows of one bucket as an Avro data file, as another engine would. */
export async function commitAvroFile(lake: CommitterResources, contract: CompiledContract, rows: Row[]): Promise<void> {
  const table = await ensureSilverTable(lake.catalog, lake.store, contract);
  const { fields } = table.schema;
  const key = contract.key[0] ?? '';
  const buckets = new Set(rows.map((row) => bucketOf(String(row[key]), contract.sink.bucketCount)));
  if (buckets.size !== 1) throw new Error('expected rows of one bucket');
  const records = rows.map((row) =>
    Object.fromEntries(fields.map((field) => [`written_${field.name}`, avroValue(field, row[field.name] ?? null)])),
  );
  const bytes = writeContainer(avroSchema(fields), {}, records);
  const uri = `${table.metadata.location}/data/${randomUUID()}.avro`;
  await lake.store.create(uri, bytes);
  const file: DataFile = {
    content: 0,
    file_path: uri,
    file_format: 'AVRO',
    partition: { [`${key}_bucket`]: [...buckets][0] ?? 0 },
    record_count: rows.length,
    file_size_in_bytes: bytes.length,
    column_sizes: null,
    value_counts: null,
    null_value_counts: null,
    nan_value_counts: null,
    lower_bounds: null,
    upper_bounds: null,
    key_metadata: null,
    split_offsets: null,
    equality_ids: null,
    sort_order_id: null,
  };
  await table.commit({ operation: 'append', add: [file], remove: new Set(), summary: {} });
}
