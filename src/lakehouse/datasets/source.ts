import type { BigQuery } from '@google-cloud/bigquery';
import { tableName } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';
import { googleError } from '../../gcp/errors.ts';
import { exportColumns } from '../committer/index.ts';
import type { AsOf, CommitterResources } from '../committer/index.ts';
import { GOLD_TABLES } from '../gold/export-gold.ts';
import type { GoldTable } from '../gold/export-gold.ts';
import { IcebergTable } from '../iceberg/index.ts';
import type { Snapshot } from '../iceberg/index.ts';

/** What an export reaches the outside with. */
export interface DatasetResources extends CommitterResources {
  bigquery: BigQuery;
  project: string;
  /** The catalog's part of BigQuery's four-part name. */
  catalogName: string;
}

/** A column of a dataset: `from` is its name in the table. */
export interface DatasetColumn {
  name: string;
  from: string;
}

interface Common {
  /** Such as `silver.earthquakes`. */
  name: string;
  columns: DatasetColumn[];
  /** Columns of the key, as the table names them. */
  key: readonly string[];
  /** What the export is of, as a folder's name: the snapshot's id, or when the table was written. */
  version: string;
  /** RFC 3339: when that content came to be. */
  time: string;
}

/** A snapshot of an Iceberg table of Silver. */
export interface SilverSource extends Common {
  kind: 'silver';
  contract: CompiledContract;
  table: IcebergTable;
  snapshot: Snapshot;
}

/** A table of Gold as it is now. */
export interface GoldSource extends Common {
  kind: 'gold';
}

export type DatasetSource = SilverSource | GoldSource;

/** Vertex AI takes no column whose name begins with `_`; `_first_version` is the only such one that consumers see. */
function datasetColumn(from: string): DatasetColumn {
  return { from, name: from.replace(/^_+/, '') };
}

function datasetColumns(names: readonly string[], splitColumn: string): DatasetColumn[] {
  const columns = names.map(datasetColumn);
  const taken = [...columns.map(({ name }) => name), splitColumn];
  const twice = taken.find((name, index) => taken.indexOf(name) !== index);
  if (twice) throw cupelError('CUP_DATASET_REFUSED', { expected: 'columns of different names', column: twice });
  if (!/^[A-Za-z]\w{0,127}$/.test(splitColumn))
    throw cupelError('CUP_DATASET_REFUSED', {
      expected: 'a split column of letters, digits and _',
      column: splitColumn,
    });
  return columns;
}

/**
 * A source with a contract, at a snapshot.
 *
 * @throws CupelError CUP_DATASET_REFUSED for a log, or a table without rows; CUP_SNAPSHOT_NOT_FOUND
 */
export async function silverSource(
  resources: DatasetResources,
  contract: CompiledContract,
  splitColumn: string,
  asOf?: AsOf,
): Promise<SilverSource> {
  const name = tableName(contract);
  if (contract.sink.kind !== 'iceberg')
    throw cupelError('CUP_DATASET_REFUSED', {
      expected: 'an Iceberg table; export a table of Gold that stands on the log',
      table: name,
    });
  const table = await IcebergTable.load(
    resources.catalog,
    resources.store,
    contract.sink.namespace,
    contract.sink.table,
  );
  const snapshot = table && (asOf ? table.snapshotAsOf(asOf) : table.current);
  if (!table || !snapshot)
    throw cupelError('CUP_DATASET_REFUSED', { expected: 'a table with a snapshot', table: name });
  return {
    kind: 'silver',
    name,
    columns: datasetColumns(
      exportColumns(contract).map((column) => column.name),
      splitColumn,
    ),
    key: contract.key,
    version: String(snapshot['snapshot-id']),
    time: new Date(snapshot['timestamp-ms']).toISOString(),
    contract,
    table,
    snapshot,
  };
}

function goldTable(name: string): GoldTable {
  const table = GOLD_TABLES.find((known) => known.name === name);
  if (!table)
    throw cupelError('CUP_DATASET_REFUSED', {
      expected: GOLD_TABLES.map((known) => `gold.${known.name}`).join(', '),
      found: `gold.${name}`,
    });
  return table;
}

/**
 * A table of Gold, by when it was last written.
 *
 * @param name without `gold.`
 * @throws CupelError CUP_DATASET_REFUSED for an unknown one, CUP_GOOGLE_REFUSED for one that was never made
 */
export async function goldSource(resources: DatasetResources, name: string, splitColumn: string): Promise<GoldSource> {
  const { columns, key } = goldTable(name);
  const written = await lastModified(resources.bigquery, 'gold', name);
  const time = new Date(written).toISOString();
  return {
    kind: 'gold',
    name: `gold.${name}`,
    columns: datasetColumns(columns, splitColumn),
    key,
    version: time.replace(/[-:.]/g, ''),
    time,
  };
}

/** Milliseconds since 1970 of a table's last change. */
async function lastModified(bigquery: BigQuery, dataset: string, table: string): Promise<number> {
  try {
    const [metadata] = await bigquery.dataset(dataset).table(table).getMetadata();
    return Number(metadata.lastModifiedTime);
  } catch (error) {
    throw googleError('BigQuery', `table ${dataset}.${table}`, error);
  }
}
