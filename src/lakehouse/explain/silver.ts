import { rm } from 'node:fs/promises';
import type { DuckDBValue } from '@duckdb/node-api';
import pLimit from 'p-limit';
import { bucketOf } from '../../contracts/index.ts';
import type { CompiledContract, IcebergField, Row, Value } from '../../contracts/index.ts';
import { GROUP_PROPERTY } from '../committer/commit-waiting.ts';
import type { CommitterResources } from '../committer/index.ts';
import { bucketOfFile } from '../committer/data-file.ts';
import { downloadDataFiles } from '../committer/download-data-files.ts';
import { identifier, literal, readParquet, Scratch } from '../committer/scratch.ts';
import { IcebergTable } from '../iceberg/index.ts';
import type { DataFile, Snapshot } from '../iceberg/index.ts';

/** Snapshots, and then files, that are looked at at once. */
const AT_ONCE = 8;

/** A snapshot in which the row of a key is another one than before. */
export interface RowChange {
  snapshotId: string;
  /** When it was committed, ISO 8601. */
  at: string;
  operation: string;
  /** The batches that it commits; none of a rebuild's, a compaction's or a foreign engine's. */
  batchIds: string[];
  /**
   * `exact`: the row became so in this very snapshot. `between`: snapshots between the last one that shows it otherwise and this one
   * have expired. `before`: it is the oldest one kept, and older ones have expired.
   */
  since: 'exact' | 'between' | 'before';
  /** Null: the key has no row in it. */
  row: Row | null;
}

/** The row of a key in a table, now and over the snapshots that are kept. */
export interface SilverHistory {
  /** Snapshots that are kept. */
  snapshots: number;
  /** Oldest first. */
  changes: RowChange[];
  /** Rows of the key now: more than one is a fault. */
  rows: Row[];
}

export const NO_HISTORY: SilverHistory = { snapshots: 0, changes: [], rows: [] };

/** How values come that lose nothing: times as microseconds, bytes as hex. */
function selected({ name, type }: IcebergField): string {
  const column = identifier(name);
  if (type === 'timestamptz') return `epoch_us(${column})`;
  return type === 'binary' ? `lower(hex(${column}))` : column;
}

function toValue({ type }: IcebergField, value: DuckDBValue): Value {
  if (value === null) return null;
  return type === 'long' || type === 'int' || type === 'double' ? Number(value) : (value as Value);
}

/** Whether a file may hold a key: by its bucket under any of the table's specs, and by the bounds of the key column. */
function mayHold(table: IcebergTable, key: string, value: string): (file: DataFile) => boolean {
  const id = table.schema.fields.find((field) => field.name === key && field.type === 'string')?.id;
  const counts = table.metadata['partition-specs'].flatMap(({ fields }) =>
    fields.map(({ transform }) => Number(/^bucket\[(\d+)\]$/.exec(transform)?.[1])),
  );
  const buckets = new Set(counts.filter((count) => count > 0).map((count) => bucketOf(value, count)));
  const bytes = Buffer.from(value, 'utf8');
  return (file) => {
    const bucket = bucketOfFile(file, key);
    if (!Number.isNaN(bucket) && !buckets.has(bucket)) return false;
    const lower = file.lower_bounds?.find((bound) => bound.key === id)?.value;
    const upper = file.upper_bounds?.find((bound) => bound.key === id)?.value;
    return !(lower && Buffer.compare(lower, bytes) > 0) && !(upper && Buffer.compare(upper, bytes) < 0);
  };
}

/** Reads the rows of one key out of data files, each file once. */
class KeyReader {
  readonly #scratch: Scratch;
  readonly #table: IcebergTable;
  readonly #where: string;
  readonly #rows = new Map<string, Promise<Row[]>>();
  readonly #files = pLimit(AT_ONCE);
  readonly #queries = pLimit(1);

  constructor(scratch: Scratch, table: IcebergTable, key: string, value: string) {
    this.#scratch = scratch;
    this.#table = table;
    this.#where = `${identifier(key)} = ${literal(value)}`;
  }

  async read(files: DataFile[]): Promise<Row[]> {
    const reading = files.map((file) => {
      const rows = this.#rows.get(file.file_path) ?? this.#files(() => this.#readFile(file));
      this.#rows.set(file.file_path, rows);
      return rows;
    });
    return (await Promise.all(reading)).flat();
  }

  /** The local copy goes at once: over hundreds of snapshots they would add up. */
  async #readFile(file: DataFile): Promise<Row[]> {
    const { fields } = this.#table.schema;
    const [local = ''] = await downloadDataFiles(this.#scratch, this.#table.schema, [file]);
    const sql = `select ${fields.map(selected).join(', ')} from ${readParquet(fields, [local])} where ${this.#where}`;
    const rows = await this.#queries(async () => {
      const found: Row[] = [];
      for await (const part of this.#scratch.stream(sql))
        found.push(
          ...part.map((values) =>
            Object.fromEntries(fields.map((field, at) => [field.name, toValue(field, values[at] ?? null)])),
          ),
        );
      return found;
    });
    await rm(local, { force: true });
    return rows;
  }
}

const textOf = (row: Row | null): string =>
  JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));

/** Whether a snapshot follows the one before it, so that none between them is gone; undefined: it is the oldest one kept. */
function sinceOf(snapshot: Snapshot, before: Snapshot | undefined): RowChange['since'] {
  const parent = snapshot['parent-snapshot-id'] ?? null;
  if (!before) return parent === null ? 'exact' : 'before';
  return String(parent) === String(before['snapshot-id']) ? 'exact' : 'between';
}

async function batchesOf({ deltas }: CommitterResources, name: string, snapshot: Snapshot): Promise<string[]> {
  const groupId = snapshot.summary[GROUP_PROPERTY];
  return (groupId && (await deltas.readGroup(name, groupId))?.batchIds) || [];
}

async function changesOf(
  resources: CommitterResources,
  table: IcebergTable,
  seen: { snapshot: Snapshot; rows: Row[] }[],
): Promise<RowChange[]> {
  const changes: RowChange[] = [];
  let last: Row | null = null;
  for (const [index, { snapshot, rows }] of seen.entries()) {
    const row = rows[0] ?? null;
    if (textOf(row) === textOf(last)) continue;
    last = row;
    changes.push({
      snapshotId: String(snapshot['snapshot-id']),
      at: new Date(snapshot['timestamp-ms']).toISOString(),
      operation: snapshot.summary.operation ?? 'unknown',
      batchIds: await batchesOf(resources, `${table.namespace}.${table.name}`, snapshot),
      since: sinceOf(snapshot, seen[index - 1]?.snapshot),
      row,
    });
  }
  return changes;
}

/**
 * The row of a key in the Iceberg table of a contract: now, and how it came to be so over the snapshots that are kept. Reads only the
 * data files that may hold the key, each once.
 *
 * @param progress called now and then
 */
export async function silverHistory(
  resources: CommitterResources,
  contract: CompiledContract,
  value: string,
  progress: (snapshots: number, of: number) => void,
): Promise<SilverHistory> {
  const { namespace, table: name } = contract.sink;
  const [key = ''] = contract.key;
  const table = await IcebergTable.load(resources.catalog, resources.store, namespace, name);
  const current = table?.current;
  if (!table || !current) return NO_HISTORY;
  const holds = mayHold(table, key, value);
  const limit = pLimit(AT_ONCE);
  let looked = 0;
  return Scratch.use(resources.store, async (scratch) => {
    const reader = new KeyReader(scratch, table, key, value);
    const look = async (snapshot: Snapshot) => {
      const rows = await reader.read((await table.dataFiles(snapshot)).filter(holds));
      looked += 1;
      progress(looked, table.snapshots.length);
      return { snapshot, rows };
    };
    const seen = await Promise.all(table.snapshots.map((snapshot) => limit(() => look(snapshot))));
    const now = seen.find(({ snapshot }) => String(snapshot['snapshot-id']) === String(current['snapshot-id']));
    return {
      snapshots: seen.length,
      changes: await changesOf(resources, table, seen),
      rows: now?.rows ?? [],
    };
  });
}
