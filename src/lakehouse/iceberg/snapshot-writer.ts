import { randomBytes, randomUUID } from 'node:crypto';
import { cupelError } from '../../errors.ts';
import type { ObjectStore } from '../object-store.ts';
import { writeContainer } from '../../formats/avro-container.ts';
import { MANIFEST_LIST_SCHEMA, manifestEntrySchema } from './manifest-schemas.ts';
import type {
  DataFile,
  ManifestEntry,
  ManifestFile,
  PartitionSpec,
  Snapshot,
  TableMetadata,
  TableSchema,
} from './types.ts';

/** A manifest of the parent snapshot with its live entries. */
export interface LiveManifest {
  file: ManifestFile;
  entries: ManifestEntry[];
}

/** What a snapshot changes. */
export interface Change {
  operation: 'append' | 'overwrite' | 'replace';
  add: DataFile[];
  /** Paths of live files that the snapshot drops. */
  remove: ReadonlySet<string>;
  summary: Record<string, string>;
}

/** A random positive id of 63 bits, as Iceberg's own writers make them. */
export function newSnapshotId(): bigint {
  return randomBytes(8).readBigUInt64BE() >> 1n;
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);
const rowsOf = (entries: ManifestEntry[]): number => sum(entries.map((entry) => entry.data_file.record_count));

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function partitionSummaries(spec: PartitionSpec, entries: ManifestEntry[]): ManifestFile['partitions'] {
  return spec.fields.map((field) => {
    const values = entries.map((entry) => entry.data_file.partition[field.name] ?? null);
    const present = values.filter((value) => value !== null).sort((a, b) => a - b);
    const bound = (value: number | undefined) => (value === undefined ? null : int32(value));
    return {
      contains_null: present.length < values.length,
      contains_nan: false,
      lower_bound: bound(present[0]),
      upper_bound: bound(present.at(-1)),
    };
  });
}

/** Writes the manifests, the manifest list and the description of one new snapshot; commits nothing. */
export class SnapshotWriter {
  readonly #store: ObjectStore;
  readonly #metadata: TableMetadata;
  readonly #schema: TableSchema;
  readonly #spec: PartitionSpec;
  readonly #id = newSnapshotId();
  readonly #sequence: number;

  constructor(store: ObjectStore, metadata: TableMetadata, schema: TableSchema, spec: PartitionSpec) {
    this.#store = store;
    this.#metadata = metadata;
    this.#schema = schema;
    this.#spec = spec;
    this.#sequence = (metadata['last-sequence-number'] ?? 0) + 1;
  }

  /** @param nowMs wall clock; a snapshot is never older than the table's last change */
  async write(change: Change, parent: Snapshot | undefined, live: LiveManifest[], nowMs: number): Promise<Snapshot> {
    const manifests: ManifestFile[] = [];
    if (change.add.length)
      manifests.push(
        await this.#manifest(
          change.add.map((file) => this.#added(file)),
          this.#spec,
          this.#schema,
        ),
      );
    for (const manifest of live) manifests.push(await this.#carry(manifest, change.remove));
    const location = `${this.#metadata.location}/metadata/snap-${this.#id}-1-${randomUUID()}.avro`;
    const header = {
      'snapshot-id': String(this.#id),
      'parent-snapshot-id': parent ? String(parent['snapshot-id']) : 'null',
      'sequence-number': String(this.#sequence),
      'format-version': '2',
    };
    await this.#store.create(location, writeContainer(MANIFEST_LIST_SCHEMA, header, manifests));
    return {
      'snapshot-id': this.#id,
      ...(parent ? { 'parent-snapshot-id': parent['snapshot-id'] } : {}),
      'sequence-number': this.#sequence,
      'timestamp-ms': Math.max(nowMs, this.#metadata['last-updated-ms']),
      'manifest-list': location,
      'schema-id': this.#schema['schema-id'],
      summary: this.#summary(change, live),
    };
  }

  #added(file: DataFile): ManifestEntry {
    // Sequence numbers of added files are inherited from the snapshot (spec, "Sequence Number Inheritance").
    return { status: 1, snapshot_id: this.#id, sequence_number: null, file_sequence_number: null, data_file: file };
  }

  async #carry(manifest: LiveManifest, remove: ReadonlySet<string>): Promise<ManifestFile> {
    if (!manifest.entries.some((entry) => remove.has(entry.data_file.file_path))) return manifest.file;
    const entries = manifest.entries.map((entry): ManifestEntry => {
      const removed = remove.has(entry.data_file.file_path);
      return {
        status: removed ? 2 : 0,
        snapshot_id: removed ? this.#id : (entry.snapshot_id ?? manifest.file.added_snapshot_id),
        sequence_number: entry.sequence_number ?? manifest.file.sequence_number,
        file_sequence_number: entry.file_sequence_number ?? manifest.file.sequence_number,
        data_file: entry.data_file,
      };
    });
    const { spec, schema } = this.#written(manifest.file);
    return this.#manifest(entries, spec, schema);
  }

  /** What a manifest was written by: its entries keep the partitions of then, and a spec needs the columns that it stands on. */
  #written(file: ManifestFile): { spec: PartitionSpec; schema: TableSchema } {
    if (file.partition_spec_id === this.#spec['spec-id']) return { spec: this.#spec, schema: this.#schema };
    const { schemas, ...metadata } = this.#metadata;
    const spec = metadata['partition-specs'].find((known) => known['spec-id'] === file.partition_spec_id);
    const schema = schemas.find((known) => known['schema-id'] === metadata['current-schema-id']);
    if (!spec || !schema) throw cupelError('CUP_TABLE_UNSUPPORTED', { manifest: file.manifest_path });
    return { spec, schema };
  }

  async #manifest(entries: ManifestEntry[], spec: PartitionSpec, schema: TableSchema): Promise<ManifestFile> {
    const header = {
      schema: JSON.stringify(schema),
      'schema-id': String(schema['schema-id']),
      'partition-spec': JSON.stringify(spec.fields),
      'partition-spec-id': String(spec['spec-id']),
      'format-version': '2',
      content: 'data',
    };
    const bytes = writeContainer(manifestEntrySchema(spec), header, entries);
    const path = `${this.#metadata.location}/metadata/${randomUUID()}-m0.avro`;
    await this.#store.create(path, bytes);
    const by = (status: number) => entries.filter((entry) => entry.status === status);
    const live = entries.filter((entry) => entry.status !== 2).map((entry) => entry.sequence_number ?? this.#sequence);
    return {
      manifest_path: path,
      manifest_length: bytes.length,
      partition_spec_id: spec['spec-id'],
      content: 0,
      sequence_number: this.#sequence,
      min_sequence_number: live.length ? Math.min(...live) : this.#sequence,
      added_snapshot_id: this.#id,
      added_files_count: by(1).length,
      existing_files_count: by(0).length,
      deleted_files_count: by(2).length,
      added_rows_count: rowsOf(by(1)),
      existing_rows_count: rowsOf(by(0)),
      deleted_rows_count: rowsOf(by(2)),
      partitions: partitionSummaries(spec, entries),
      key_metadata: null,
    };
  }

  #summary(change: Change, live: LiveManifest[]): Record<string, string> {
    const entries = live.flatMap((manifest) => manifest.entries);
    const removed = entries.filter((entry) => change.remove.has(entry.data_file.file_path));
    const addedRows = sum(change.add.map((file) => file.record_count));
    const counts: Record<string, number> = {
      'added-data-files': change.add.length,
      'added-records': addedRows,
      'added-files-size': sum(change.add.map((file) => file.file_size_in_bytes)),
      'deleted-data-files': removed.length,
      'deleted-records': rowsOf(removed),
      'total-data-files': entries.length - removed.length + change.add.length,
      'total-records': rowsOf(entries) - rowsOf(removed) + addedRows,
      'total-delete-files': 0,
      'total-position-deletes': 0,
      'total-equality-deletes': 0,
    };
    const texts = Object.entries(counts).map(([name, count]) => [name, String(count)]);
    return { operation: change.operation, ...(Object.fromEntries(texts) as Record<string, string>), ...change.summary };
  }
}
