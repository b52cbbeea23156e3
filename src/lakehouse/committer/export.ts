import { createHash } from 'node:crypto';
import type { DuckDBValue } from '@duckdb/node-api';
import { tableName } from '../../contracts/index.ts';
import type { Column, CompiledContract, Value } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';
import { formatTimestamp } from '../format.ts';
import { readLog } from '../append-log/index.ts';
import { IcebergTable } from '../iceberg/index.ts';
import type { Snapshot } from '../iceberg/index.ts';
import type { CommitterResources } from './commit-waiting.ts';
import { downloadDataFiles } from './download-data-files.ts';
import { identifier, readParquet, Scratch } from './scratch.ts';

/** Columns of an export: the contract's, then `_first_version`; of a log, then `_record_id`. */
export function exportColumns(contract: CompiledContract): Column[] {
  if (contract.sink.kind === 'append-log')
    return [...contract.columns, { name: '_record_id', type: 'string', required: true }];
  return [...contract.columns, { name: '_first_version', type: 'timestamptz', required: true }];
}

const TOMBSTONE: Column = { name: '_tombstone', type: 'boolean', required: true };

function selected({ name, type }: Column): string {
  return type === 'timestamptz' ? `epoch_us(${identifier(name)})` : identifier(name);
}

function toJson({ type }: Column, value: DuckDBValue | Value): string {
  if (value === null) return 'null';
  if (type === 'timestamptz') return JSON.stringify(formatTimestamp(value as bigint));
  // JSON.stringify prints -0 as 0, and every other double as JavaScript does.
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

/** A log by hours, and within each by record id, so that it never has to be held whole. */
async function* exportLog(resources: CommitterResources, contract: CompiledContract): AsyncGenerator<string> {
  const columns = exportColumns(contract);
  for await (const rows of readLog(resources, contract))
    yield rows
      .map((row) =>
        toLine(
          columns,
          columns.map(({ name }) => row[name] ?? null),
        ),
      )
      .join('');
}

function toLine(columns: Column[], row: (DuckDBValue | Value)[]): string {
  const parts = columns.map((column, index) => `${JSON.stringify(column.name)}:${toJson(column, row[index] ?? null)}`);
  return `{${parts.join(',')}}\n`;
}

/** A point in the life of a table. Default: now. */
export type AsOf = { snapshotId: string } | { timeMs: number };

async function* exportSnapshot(
  resources: CommitterResources,
  contract: CompiledContract,
  table: IcebergTable,
  snapshot: Snapshot | undefined,
): AsyncGenerator<string> {
  const files = await table.dataFiles(snapshot);
  if (!files.length) return;
  const columns = exportColumns(contract);
  const queue: string[] = [];
  await Scratch.use(resources.store, async (scratch) => {
    const local = await downloadDataFiles(scratch, table.schema, files);
    const sql = `select ${columns.map(selected).join(', ')} from ${readParquet([...columns, TOMBSTONE], local)}
      where not _tombstone order by ${contract.key.map(identifier).join(', ')}`;
    for await (const rows of scratch.stream(sql)) queue.push(rows.map((row) => toLine(columns, row)).join(''));
  });
  yield* queue;
}

/**
 * A table as NDJSON, in pieces: sorted by the UTF-8 bytes of the key, tombstones left out (docs/export.md); a log by hour, then
 * record id. A table that does not exist is empty.
 *
 * @throws CupelError CUP_SNAPSHOT_NOT_FOUND
 */
export async function* exportTable(
  resources: CommitterResources,
  contract: CompiledContract,
  asOf?: AsOf,
): AsyncGenerator<string> {
  if (contract.sink.kind === 'append-log') {
    if (asOf)
      throw cupelError('CUP_SNAPSHOT_NOT_FOUND', {
        table: tableName(contract),
        expected: 'no time: a log has no snapshots',
      });
    return yield* exportLog(resources, contract);
  }
  const { namespace, table: name } = contract.sink;
  const table = await IcebergTable.load(resources.catalog, resources.store, namespace, name);
  if (!table) return;
  yield* exportSnapshot(resources, contract, table, asOf ? table.snapshotAsOf(asOf) : table.current);
}

/** Rows and digest of a table: sha256 of its export, in lower-case hex. */
export async function digestTable(
  resources: CommitterResources,
  contract: CompiledContract,
  asOf?: AsOf,
): Promise<{ rows: number; digest: string }> {
  const hash = createHash('sha256');
  let rows = 0;
  for await (const text of exportTable(resources, contract, asOf)) {
    hash.update(text);
    rows += text.split('\n').length - 1;
  }
  return { rows, digest: hash.digest('hex') };
}
