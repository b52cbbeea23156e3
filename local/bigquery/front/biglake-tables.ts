import { BIGQUERY_TYPES } from '../../../src/contracts/index.ts';
import { downloadDataFiles } from '../../../src/lakehouse/committer/download-data-files.ts';
import { identifier, literal, readParquet, Scratch } from '../../../src/lakehouse/committer/scratch.ts';
import { IcebergTable } from '../../../src/lakehouse/iceberg/index.ts';
import type { DataFile, RestCatalog, Snapshot, TableSchema } from '../../../src/lakehouse/iceberg/index.ts';
import type { ObjectStore } from '../../../src/lakehouse/object-store.ts';
import { ApiError } from './api-error.ts';
import type { BigLakeName } from './biglake-names.ts';
import type { Emulator } from './emulator.ts';

const DATASET = '_biglake';

/** A native table is dropped when so many newer ones of its Iceberg table were used, and it was not for so long. */
const KEPT = 4;
const KEPT_MS = 60_000;

/** Iceberg tables as native tables of the emulator, one per snapshot, made when a query first asks for it. */
export class BigLakeTables {
  readonly #emulator: Emulator;
  readonly #catalog: RestCatalog;
  readonly #store: ObjectStore;
  readonly #loading = new Map<string, Promise<void>>();
  readonly #dropping = new Map<string, Promise<unknown>>();
  /** By Iceberg table: its native tables and when each was last asked for, the longest ago first. */
  readonly #used = new Map<string, Map<string, number>>();
  #dataset: Promise<unknown> | undefined;

  constructor(emulator: Emulator, catalog: RestCatalog, store: ObjectStore) {
    this.#emulator = emulator;
    this.#catalog = catalog;
    this.#store = store;
  }

  /**
   * Name of the native table that holds what the name means.
   *
   * @throws ApiError 404 for a table that is not there, 400 for a time before its first snapshot or one that is no literal
   */
  async materialise(name: BigLakeName): Promise<string> {
    if (Number.isNaN(name.asOfMs)) {
      const forms = 'TIMESTAMP "..." and CURRENT_TIMESTAMP()';
      throw new ApiError(400, 'invalidQuery', `FOR SYSTEM_TIME AS OF takes here ${forms} in UTC or with an offset`);
    }
    const table = await IcebergTable.load(this.#catalog, this.#store, name.namespace, name.table);
    if (!table) throw new ApiError(404, 'notFound', `Not found: Table ${name.namespace}.${name.table}`);
    const snapshot = snapshotOf(table, name.asOfMs);
    const version = snapshot ? snapshot['snapshot-id'] : `empty_${table.metadata['table-uuid'].replaceAll('-', '')}`;
    const native = `${name.namespace}_${name.table}_${version}`;
    this.#dropOutdated(`${name.namespace}.${name.table}`, native);
    let loading = this.#loading.get(native);
    if (!loading) {
      loading = this.#load(native, table, snapshot);
      const begun = loading;
      begun.catch(() => this.#loading.get(native) === begun && this.#loading.delete(native));
      this.#loading.set(native, begun);
    }
    await loading;
    return `\`${this.#emulator.projectId}.${DATASET}.${native}\``;
  }

  /** The emulator was started again: what was under way is lost, so everything is loaded anew. */
  forget(): void {
    this.#loading.clear();
    this.#used.clear();
    this.#dataset = undefined;
  }

  /** Notes the use of a native table and drops those of the same Iceberg table that nobody uses any more. */
  #dropOutdated(table: string, native: string): void {
    const used = this.#used.get(table) ?? new Map<string, number>();
    this.#used.set(table, used);
    used.delete(native);
    used.set(native, Date.now());
    for (const outdated of outdatedTables(used, Date.now())) {
      used.delete(outdated);
      this.#loading.delete(outdated);
      const dropped = this.#emulator
        .request('DELETE', `/datasets/${DATASET}/tables/${outdated}`)
        .catch(() => undefined);
      this.#dropping.set(
        outdated,
        dropped.finally(() => this.#dropping.delete(outdated)),
      );
    }
  }

  async #load(native: string, table: IcebergTable, snapshot: Snapshot | undefined): Promise<void> {
    await this.#dropping.get(native);
    await (this.#dataset ??= this.#makeDataset());
    const { projectId } = this.#emulator;
    const tableReference = { projectId, datasetId: DATASET, tableId: native };
    const tableSchema = schemaOf(table, snapshot);
    const schema = {
      fields: tableSchema.fields.map(({ name, type }) => ({
        name,
        type: BIGQUERY_TYPES[type],
        mode: 'NULLABLE',
      })),
    };
    await this.#emulator.request('DELETE', `/datasets/${DATASET}/tables/${native}`);
    await this.#emulator.expect('POST', `/datasets/${DATASET}/tables`, { tableReference, schema });
    const files = await table.dataFiles(snapshot);
    if (!files.length) return;
    const even = files.every((file) => isLoadable(tableSchema, file));
    // Columns go by position: the emulator takes files only that have those of the schema, in its order.
    const uneven = even ? undefined : await this.#writeEven(table, tableSchema, files, native);
    const sourceUris = uneven ? [uneven] : files.map((file) => file.file_path);
    const load = { sourceUris, sourceFormat: 'PARQUET', destinationTable: tableReference, schema };
    await this.#emulator.runJob({ load: { ...load, writeDisposition: 'WRITE_APPEND' } });
    if (uneven) await this.#store.delete(uneven);
  }

  /** One file of all rows with all columns: of files in other formats, or from when the table had fewer columns. */
  async #writeEven(table: IcebergTable, schema: TableSchema, files: DataFile[], native: string): Promise<string> {
    const uri = `${table.metadata.location}/load/${native}.parquet`;
    await this.#store.delete(uri);
    await Scratch.use(this.#store, async (scratch) => {
      const local = scratch.path('parquet');
      const downloaded = await downloadDataFiles(scratch, schema, files);
      const columns = schema.fields.map(({ name }) => identifier(name)).join(', ');
      await scratch.run(
        `copy (select ${columns} from ${readParquet(schema.fields, downloaded)}) to ${literal(local)} (format parquet)`,
      );
      await scratch.upload(local, uri);
    });
    return uri;
  }

  async #makeDataset(): Promise<void> {
    const datasetReference = { projectId: this.#emulator.projectId, datasetId: DATASET };
    try {
      // Of a cloud before this one: nobody would ever drop its tables.
      await this.#emulator.request('DELETE', `/datasets/${DATASET}?deleteContents=true`);
      const { status } = await this.#emulator.request('POST', '/datasets', { datasetReference });
      if (status >= 300 && status !== 409) throw new ApiError(500, 'backendError', `dataset ${DATASET}: ${status}`);
    } catch (error) {
      this.#dataset = undefined;
      throw error;
    }
  }
}

/** Native tables to drop, given when each was last used, the longest ago first. */
export function outdatedTables(used: ReadonlyMap<string, number>, nowMs: number): string[] {
  return [...used]
    .slice(0, Math.max(0, used.size - KEPT))
    .filter(([, lastMs]) => nowMs - lastMs > KEPT_MS)
    .map(([native]) => native);
}

/** Whether a file can be loaded as it is. A writer counts the values of each column that a file has. */
function isLoadable({ fields }: TableSchema, { file_format, value_counts }: DataFile): boolean {
  const counted = new Set(value_counts?.map(({ key }) => key));
  return file_format.toUpperCase() === 'PARQUET' && fields.every(({ id }) => counted.has(id));
}

/** The schema that a snapshot was written under; time travel shows that one, and its files have its columns. */
function schemaOf(table: IcebergTable, snapshot: Snapshot | undefined): TableSchema {
  return table.metadata.schemas.find((schema) => schema['schema-id'] === snapshot?.['schema-id']) ?? table.schema;
}

function snapshotOf(table: IcebergTable, asOfMs: number | undefined): Snapshot | undefined {
  if (asOfMs === undefined || asOfMs === Number.POSITIVE_INFINITY) return table.current;
  const known = table.snapshots.filter((snapshot) => snapshot['timestamp-ms'] <= asOfMs);
  if (known.length || !table.snapshots.length) return known.at(-1);
  throw new ApiError(
    400,
    'invalidQuery',
    `Invalid snapshot time ${new Date(asOfMs).toISOString()} for table ${table.namespace}.${table.name}`,
  );
}
