import type { IcebergField } from '../../contracts/types.ts';

/** A snapshot of table metadata (Iceberg spec, table metadata v2). Ids are 63-bit: numbers or, beyond 2^53, bigint. */
export interface Snapshot {
  'snapshot-id': number | bigint;
  'parent-snapshot-id'?: number | bigint;
  'sequence-number': number;
  'timestamp-ms': number;
  'manifest-list': string;
  'schema-id'?: number;
  summary: Record<string, string>;
}

/** The schema of a table, by id. */
export interface TableSchema {
  type: 'struct';
  'schema-id': number;
  fields: IcebergField[];
}

/** A column to be added: nullable, with an id that the table gives. */
export type NewColumn = Pick<IcebergField, 'name' | 'type' | 'doc'>;

/** A partition spec: Cupel writes `bucket[N]` of the key. */
export interface PartitionSpec {
  'spec-id': number;
  fields: { name: string; transform: string; 'source-id': number; 'field-id': number }[];
}

/** The part of table metadata that Cupel reads. */
export interface TableMetadata {
  'format-version': number;
  'table-uuid': string;
  location: string;
  'last-sequence-number'?: number;
  'last-updated-ms': number;
  /** Greatest id ever given to a column. */
  'last-column-id': number;
  /** Greatest id ever given to a partition field. */
  'last-partition-id'?: number;
  schemas: TableSchema[];
  'current-schema-id': number;
  'partition-specs': PartitionSpec[];
  'default-spec-id': number;
  properties?: Record<string, string>;
  snapshots?: Snapshot[];
  refs?: Record<string, { 'snapshot-id': number | bigint; type: 'branch' | 'tag' }>;
}

/** Lower or upper bound, or a count, by field id, as Avro writes an int-keyed map. */
export interface ByField<T> {
  key: number;
  value: T;
}

/** A data file as a manifest lists it (Iceberg spec, data_file fields of v2). */
export interface DataFile {
  content: number;
  file_path: string;
  file_format: string;
  partition: Record<string, number | null>;
  record_count: number;
  file_size_in_bytes: number;
  column_sizes: ByField<number>[] | null;
  value_counts: ByField<number>[] | null;
  null_value_counts: ByField<number>[] | null;
  nan_value_counts: ByField<number>[] | null;
  lower_bounds: ByField<Buffer>[] | null;
  upper_bounds: ByField<Buffer>[] | null;
  key_metadata: Buffer | null;
  split_offsets: number[] | null;
  equality_ids: number[] | null;
  sort_order_id: number | null;
}

/** An entry of a manifest. */
export interface ManifestEntry {
  /** 0 existing, 1 added, 2 deleted. */
  status: 0 | 1 | 2;
  snapshot_id: number | bigint | null;
  sequence_number: number | null;
  file_sequence_number: number | null;
  data_file: DataFile;
}

/** An entry of a manifest list. */
export interface ManifestFile {
  manifest_path: string;
  manifest_length: number;
  partition_spec_id: number;
  content: number;
  sequence_number: number;
  min_sequence_number: number;
  added_snapshot_id: number | bigint;
  added_files_count: number;
  existing_files_count: number;
  deleted_files_count: number;
  added_rows_count: number;
  existing_rows_count: number;
  deleted_rows_count: number;
  partitions:
    | { contains_null: boolean; contains_nan: boolean | null; lower_bound: Buffer | null; upper_bound: Buffer | null }[]
    | null;
  key_metadata: Buffer | null;
}
