import type { ColumnType } from '../../../src/contracts/index.ts';
import { IcebergTable } from '../../../src/lakehouse/iceberg/index.ts';
import type { RestCatalog } from '../../../src/lakehouse/iceberg/index.ts';
import type { Snapshot } from '../../../src/lakehouse/iceberg/index.ts';
import type { ObjectStore } from '../../../src/lakehouse/object-store.ts';
import { ApiError } from './emulator.ts';
import type { Emulator } from './emulator.ts';
import type { BigLakeName } from './biglake-names.ts';

const DATASET = '_biglake';

const TYPES: Record<ColumnType, string> = {
  string: 'STRING',
  long: 'INTEGER',
  int: 'INTEGER',
  double: 'FLOAT',
  boolean: 'BOOLEAN',
  timestamptz: 'TIMESTAMP',
  binary: 'BYTES',
};

/** Iceberg tables as native tables of the emulator, one per snapshot, made when a query first asks for it. */
export class BigLakeTables {
  readonly #emulator: Emulator;
  readonly #catalog: RestCatalog;
  readonly #store: ObjectStore;
  readonly #loading = new Map<string, Promise<void>>();
  #dataset: Promise<unknown> | undefined;

  constructor(emulator: Emulator, catalog: RestCatalog, store: ObjectStore) {
    this.#emulator = emulator;
    this.#catalog = catalog;
    this.#store = store;
  }

  /**
   * Name of the native table that holds what the name means.
   *
   * @throws ApiError 404 for a table that is not there, 400 for a time before its first snapshot
   */
  async materialise(name: BigLakeName): Promise<string> {
    const table = await IcebergTable.load(this.#catalog, this.#store, name.namespace, name.table);
    if (!table) throw new ApiError(404, 'notFound', `Not found: Table ${name.namespace}.${name.table}`);
    const snapshot = snapshotOf(table, name.asOfMs);
    const native = `${name.namespace}_${name.table}_${snapshot ? snapshot['snapshot-id'] : 'empty'}`;
    let loading = this.#loading.get(native);
    if (!loading) {
      loading = this.#load(native, table, snapshot);
      loading.catch(() => this.#loading.delete(native));
      this.#loading.set(native, loading);
    }
    await loading;
    return `\`${this.#emulator.projectId}.${DATASET}.${native}\``;
  }

  async #load(native: string, table: IcebergTable, snapshot: Snapshot | undefined): Promise<void> {
    const { projectId } = this.#emulator;
    await (this.#dataset ??= this.#emulator.request('POST', '/datasets', {
      datasetReference: { projectId, datasetId: DATASET },
    }));
    const tableReference = { projectId, datasetId: DATASET, tableId: native };
    const fields = table.schema.fields.map(({ name, type }) => ({ name, type: TYPES[type], mode: 'NULLABLE' }));
    await this.#emulator.request('DELETE', `/datasets/${DATASET}/tables/${native}`);
    await this.#emulator.expect('POST', `/datasets/${DATASET}/tables`, { tableReference, schema: { fields } });
    const sourceUris = (await table.dataFiles(snapshot)).map((file) => file.file_path);
    if (!sourceUris.length) return;
    // Columns go by position: data files have those of the schema, in its order.
    const load = {
      sourceUris,
      sourceFormat: 'PARQUET',
      destinationTable: tableReference,
      schema: { fields },
      writeDisposition: 'WRITE_APPEND',
    };
    await this.#emulator.runJob({ load });
  }
}

function snapshotOf(table: IcebergTable, asOfMs: number | undefined): Snapshot | undefined {
  if (asOfMs === undefined) return table.current;
  const known = table.snapshots.filter((snapshot) => snapshot['timestamp-ms'] <= asOfMs);
  if (known.length || !table.snapshots.length) return known.at(-1);
  throw new ApiError(
    400,
    'invalidQuery',
    `Invalid snapshot time ${new Date(asOfMs).toISOString()} for table ${table.namespace}.${table.name}`,
  );
}
