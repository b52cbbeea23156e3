import type { IcebergField } from '../../contracts/types.ts';
import { cupelError } from '../../errors.ts';
import type { ObjectStore } from '../object-store.ts';
import { readContainer } from '../../formats/avro-container.ts';
import type { RestCatalog } from './rest-catalog.ts';
import { LAST_ADDED, layoutCommit } from './layout.ts';
import type { Layout } from './layout.ts';
import { SnapshotWriter } from './snapshot-writer.ts';
import type { Change, LiveManifest } from './snapshot-writer.ts';
import type {
  DataFile,
  ManifestEntry,
  ManifestFile,
  NewColumn,
  PartitionSpec,
  Snapshot,
  TableMetadata,
  TableSchema,
} from './types.ts';

const sameId = (a: number | bigint, b: number | bigint): boolean => BigInt(a) === BigInt(b);

/** One Iceberg v2 table as it was at the last `refresh`. */
export class IcebergTable {
  readonly namespace: string;
  readonly name: string;
  readonly #catalog: RestCatalog;
  readonly #store: ObjectStore;
  #metadata: TableMetadata;
  /** Of the snapshot that was asked for last: a merge asks twice, and no snapshot ever changes. */
  #known: { list: string; manifests: Promise<LiveManifest[]> } | undefined;

  constructor(catalog: RestCatalog, store: ObjectStore, namespace: string, name: string, metadata: TableMetadata) {
    this.#catalog = catalog;
    this.#store = store;
    this.namespace = namespace;
    this.name = name;
    this.#metadata = metadata;
  }

  /** Loads a table; undefined where there is none. */
  static async load(
    catalog: RestCatalog,
    store: ObjectStore,
    namespace: string,
    name: string,
  ): Promise<IcebergTable | undefined> {
    const metadata = await catalog.loadTable(namespace, name);
    return metadata && new IcebergTable(catalog, store, namespace, name, metadata);
  }

  get metadata(): TableMetadata {
    return this.#metadata;
  }

  get schema(): TableSchema {
    return this.#find(
      this.#metadata.schemas.find((schema) => schema['schema-id'] === this.#metadata['current-schema-id']),
      'current schema',
    );
  }

  get spec(): PartitionSpec {
    return this.#find(
      this.#metadata['partition-specs'].find((spec) => spec['spec-id'] === this.#metadata['default-spec-id']),
      'default partition spec',
    );
  }

  /** Snapshots in the metadata, oldest first. */
  get snapshots(): Snapshot[] {
    return this.#metadata.snapshots ?? [];
  }

  /** The snapshot of `main`, or undefined for a table that holds nothing yet. */
  get current(): Snapshot | undefined {
    const id = this.#metadata.refs?.main?.['snapshot-id'];
    return id === undefined ? undefined : this.snapshots.find((snapshot) => sameId(snapshot['snapshot-id'], id));
  }

  /**
   * Time travel: the snapshot of that id, or the newest one at that time.
   *
   * @param asOf decimal snapshot id, or milliseconds since 1970
   * @throws CupelError CUP_SNAPSHOT_NOT_FOUND
   */
  snapshotAsOf(asOf: { snapshotId: string } | { timeMs: number }): Snapshot {
    const found =
      'snapshotId' in asOf
        ? this.snapshots.find((snapshot) => String(snapshot['snapshot-id']) === asOf.snapshotId)
        : this.snapshots.filter((snapshot) => snapshot['timestamp-ms'] <= asOf.timeMs).at(-1);
    if (!found) throw cupelError('CUP_SNAPSHOT_NOT_FOUND', { table: `${this.namespace}.${this.name}`, ...asOf });
    return found;
  }

  /** Reads the metadata anew. */
  async refresh(): Promise<void> {
    this.#metadata = this.#find(await this.#catalog.loadTable(this.namespace, this.name), 'table');
  }

  /** Live data files of a snapshot; none for a table that holds nothing. */
  async dataFiles(snapshot: Snapshot | undefined = this.current): Promise<DataFile[]> {
    return (await this.liveFiles(snapshot)).map(({ file }) => file);
  }

  /** Live data files of a snapshot, each with the id of the snapshot that wrote it, which may be expired. */
  async liveFiles(snapshot: Snapshot | undefined = this.current): Promise<{ file: DataFile; snapshotId: string }[]> {
    const manifests = await this.#liveManifests(snapshot);
    return manifests.flatMap((manifest) =>
      manifest.entries.map((entry) => ({
        file: entry.data_file,
        snapshotId: String(entry.snapshot_id ?? manifest.file.added_snapshot_id),
      })),
    );
  }

  /**
   * Commits one snapshot onto the metadata as last read.
   *
   * Any answer but 200 means *unknown*: the table is read again, and only its refs say whether the commit took effect
   * (a 409 can be the echo of our own success). Nothing that was written is deleted on failure; the orphan sweep does that.
   *
   * @throws CupelError CUP_COMMIT_CONFLICT when another writer was first, CUP_COMMIT_UNKNOWN when the catalog cannot say
   */
  async commit(change: Change, nowMs = Date.now()): Promise<Snapshot> {
    const parent = this.current;
    const live = await this.#liveManifests(parent);
    const writer = new SnapshotWriter(this.#store, this.#metadata, this.schema, this.spec);
    const snapshot = await writer.write(change, parent, live, nowMs);
    const answer = await this.#catalog.commit(
      this.namespace,
      this.name,
      [
        { type: 'assert-table-uuid', uuid: this.#metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent?.['snapshot-id'] ?? null },
        { type: 'assert-current-schema-id', 'current-schema-id': this.#metadata['current-schema-id'] },
      ],
      [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshot['snapshot-id'] },
      ],
    );
    await this.#settle(answer.status, snapshot);
    return snapshot;
  }

  /**
   * Adds nullable columns and loosens required ones, in one change of metadata: no file is rewritten, and what old files lack is
   * null. A column never changes its id, and a new one gets an id that none ever had (Iceberg spec, "Schema Evolution").
   *
   * @throws CupelError CUP_COMMIT_CONFLICT, CUP_COMMIT_UNKNOWN
   */
  async changeColumns({ add, loosen }: { add: readonly NewColumn[]; loosen: ReadonlySet<string> }): Promise<void> {
    const last = this.#metadata['last-column-id'];
    const fields = [
      ...this.schema.fields.map((field) => (loosen.has(field.name) ? { ...field, required: false } : field)),
      ...add.map((column, index) => ({ ...column, required: false, id: last + 1 + index })),
    ];
    const schemaId = Math.max(...this.#metadata.schemas.map((schema) => schema['schema-id'])) + 1;
    const answer = await this.#catalog.commit(
      this.namespace,
      this.name,
      [
        { type: 'assert-table-uuid', uuid: this.#metadata['table-uuid'] },
        { type: 'assert-current-schema-id', 'current-schema-id': this.#metadata['current-schema-id'] },
        { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': last },
      ],
      [
        {
          action: 'add-schema',
          schema: { type: 'struct', 'schema-id': schemaId, fields },
          'last-column-id': last + add.length,
        },
        { action: 'set-current-schema', 'schema-id': LAST_ADDED },
      ],
    );
    await this.#settleColumns(answer.status, fields);
  }

  /** Any answer leaves it to the schema that the table has now, whoever made it so. */
  async #settleColumns(status: number, fields: readonly IcebergField[]): Promise<void> {
    const details = { table: `${this.namespace}.${this.name}`, request: 'set-current-schema', status };
    try {
      await this.refresh();
    } catch (error) {
      throw cupelError('CUP_COMMIT_UNKNOWN', details, error);
    }
    const shape = (of: readonly IcebergField[]) => of.map(({ name, type, required }) => [name, type, required]);
    if (JSON.stringify(shape(this.schema.fields)) !== JSON.stringify(shape(fields)))
      throw cupelError('CUP_COMMIT_CONFLICT', details);
  }

  /**
   * Replaces everything in one commit: all live files by these, with these columns and partitions. Earlier snapshots keep theirs.
   *
   * @throws CupelError CUP_COMMIT_CONFLICT when another writer was first, CUP_COMMIT_UNKNOWN when the catalog cannot say
   */
  async replaceAll(layout: Layout, add: DataFile[], summary: Record<string, string>): Promise<Snapshot> {
    const parent = this.current;
    const live = await this.#liveManifests(parent);
    const remove = new Set(live.flatMap(({ entries }) => entries.map((entry) => entry.data_file.file_path)));
    const writer = new SnapshotWriter(this.#store, this.#metadata, layout.schema, layout.spec);
    const snapshot = await writer.write({ operation: 'overwrite', add, remove, summary }, parent, live, Date.now());
    const { requirements, updates } = layoutCommit(this.#metadata, layout);
    const answer = await this.#catalog.commit(
      this.namespace,
      this.name,
      [
        { type: 'assert-table-uuid', uuid: this.#metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent?.['snapshot-id'] ?? null },
        ...requirements,
      ],
      [
        ...updates,
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshot['snapshot-id'] },
      ],
    );
    await this.#settle(answer.status, snapshot);
    return snapshot;
  }

  /**
   * Takes snapshots out of the metadata; no file is deleted.
   *
   * @throws CupelError CUP_COMMIT_CONFLICT, CUP_COMMIT_UNKNOWN
   */
  async removeSnapshots(ids: readonly (number | bigint)[]): Promise<void> {
    const answer = await this.#catalog.commit(
      this.namespace,
      this.name,
      [
        { type: 'assert-table-uuid', uuid: this.#metadata['table-uuid'] },
        { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': this.current?.['snapshot-id'] ?? null },
      ],
      [{ action: 'remove-snapshots', 'snapshot-ids': ids }],
    );
    const details = { table: `${this.namespace}.${this.name}`, request: 'remove-snapshots', status: answer.status };
    try {
      await this.refresh();
    } catch (error) {
      throw cupelError('CUP_COMMIT_UNKNOWN', details, error);
    }
    const left = new Set(this.snapshots.map((snapshot) => String(snapshot['snapshot-id'])));
    if (ids.some((id) => left.has(String(id)))) throw cupelError('CUP_COMMIT_CONFLICT', details);
  }

  /** URIs of all files that any snapshot in the metadata needs: manifest lists, manifests, data files. */
  async referencedFiles(): Promise<Set<string>> {
    const files = new Set<string>();
    for (const snapshot of this.snapshots) {
      files.add(snapshot['manifest-list']);
      for (const file of await readContainer<ManifestFile>(await this.#store.read(snapshot['manifest-list']))) {
        if (files.has(file.manifest_path)) continue;
        files.add(file.manifest_path);
        const entries = await readContainer<ManifestEntry>(await this.#store.read(file.manifest_path));
        for (const entry of entries) if (entry.status !== 2) files.add(entry.data_file.file_path);
      }
    }
    return files;
  }

  /** Tables of the same namespace, as they are now, whose names begin so. */
  async siblings(prefix: string): Promise<IcebergTable[]> {
    const names = await this.#catalog.listTables(this.namespace);
    const found: IcebergTable[] = [];
    for (const name of names.filter((known) => known.startsWith(prefix))) {
      const table = await IcebergTable.load(this.#catalog, this.#store, this.namespace, name);
      if (table) found.push(table);
    }
    return found;
  }

  /** Finds out whether a commit took effect: any answer but 200 leaves it to the refs. */
  async #settle(status: number, snapshot: Snapshot): Promise<void> {
    const id = snapshot['snapshot-id'];
    try {
      await this.refresh();
    } catch (error) {
      if (status === 200) return; // committed; the next reader refreshes
      throw cupelError(
        'CUP_COMMIT_UNKNOWN',
        { table: `${this.namespace}.${this.name}`, snapshot: String(id), status },
        error,
      );
    }
    if (status === 200 || this.#reachable(id)) return;
    throw cupelError('CUP_COMMIT_CONFLICT', { table: `${this.namespace}.${this.name}`, snapshot: String(id), status });
  }

  /** Whether a snapshot is an ancestor of, or the head of, any ref. */
  #reachable(id: number | bigint): boolean {
    const byId = new Map(this.snapshots.map((snapshot) => [String(snapshot['snapshot-id']), snapshot]));
    for (const ref of Object.values(this.#metadata.refs ?? {})) {
      let at = byId.get(String(ref['snapshot-id']));
      while (at) {
        if (sameId(at['snapshot-id'], id)) return true;
        at = byId.get(String(at['parent-snapshot-id']));
      }
    }
    return false;
  }

  async #liveManifests(snapshot: Snapshot | undefined): Promise<LiveManifest[]> {
    if (!snapshot) return [];
    const list = snapshot['manifest-list'];
    if (this.#known?.list === list) return this.#known.manifests;
    const manifests = this.#readManifests(list);
    this.#known = { list, manifests };
    manifests.catch(() => (this.#known = undefined)); // the next one who asks tries again
    return manifests;
  }

  async #readManifests(list: string): Promise<LiveManifest[]> {
    const files = await readContainer<ManifestFile>(await this.#store.read(list));
    const manifests = await Promise.all(files.map((file) => this.#readManifest(file)));
    return manifests.filter((manifest) => manifest.entries.length > 0);
  }

  async #readManifest(file: ManifestFile): Promise<LiveManifest> {
    if (file.content !== 0) throw cupelError('CUP_TABLE_UNSUPPORTED', { manifest: file.manifest_path });
    const entries = await readContainer<ManifestEntry>(await this.#store.read(file.manifest_path));
    return { file, entries: entries.filter((entry) => entry.status !== 2) };
  }

  #find<T>(value: T | undefined, what: string): T {
    if (value === undefined)
      throw cupelError('CUP_TABLE_UNSUPPORTED', { table: `${this.namespace}.${this.name}`, missing: what });
    return value;
  }
}
