import { systemColumns, tableName } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { decodeLogRows } from '../append-log/merge-object.ts';
import { listLog } from '../append-log/read-log.ts';
import { GROUP_PROPERTY } from '../committer/commit-waiting.ts';
import type { CommitterResources } from '../committer/commit-waiting.ts';
import { bucketOfFile } from '../committer/data-file.ts';
import { downloadDataFiles } from '../committer/download-data-files.ts';
import type { Scratch } from '../committer/scratch.ts';
import { encodeParquet } from '../deltas/index.ts';
import { IcebergTable } from '../iceberg/index.ts';
import type { DataFile } from '../iceberg/index.ts';
import type { StoredObject } from '../object-store.ts';
import type { ComparedTable, WrittenBy } from './types.ts';

/** A file of a table, and what wrote it. */
export interface HeldFile {
  bucket: number;
  writtenBy: Omit<WrittenBy, 'batchIds'>;
}

/** The files of a table or log, whatever format they have. */
export interface HeldTable {
  files: HeldFile[];
  /** Copies files of the table here as Parquet; the result has their local paths, in order. */
  download(scratch: Scratch, files: readonly HeldFile[]): Promise<string[]>;
  /** Batches of a group. */
  batchesOf(groupId: string): Promise<string[]>;
}

const EMPTY: HeldTable = { files: [], download: () => Promise.resolve([]), batchesOf: () => Promise.resolve([]) };

async function readIceberg(
  { catalog, store, deltas }: CommitterResources,
  { contract, snapshotId }: ComparedTable,
): Promise<HeldTable> {
  const { namespace, table: name } = contract.sink;
  const table = snapshotId === null ? undefined : await IcebergTable.load(catalog, store, namespace, name);
  if (!table) return EMPTY;
  const live = await table.liveFiles(snapshotId ? table.snapshotAsOf({ snapshotId }) : table.current);
  const snapshots = new Map(table.snapshots.map((snapshot) => [String(snapshot['snapshot-id']), snapshot]));
  const dataFiles = new Map<HeldFile, DataFile>();
  for (const { file, snapshotId: by } of live) {
    const snapshot = snapshots.get(by);
    const at = snapshot ? new Date(snapshot['timestamp-ms']).toISOString() : null;
    const groupId = snapshot?.summary[GROUP_PROPERTY] ?? null;
    const writtenBy = { file: file.file_path, snapshotId: by, at, groupId };
    dataFiles.set({ bucket: bucketOfFile(file, contract.key[0] ?? ''), writtenBy }, file);
  }
  return {
    files: [...dataFiles.keys()],
    download: (scratch, files) =>
      downloadDataFiles(
        scratch,
        table.schema,
        files.map((file) => dataFiles.get(file) as DataFile),
      ),
    batchesOf: async (groupId) => (await deltas.readGroup(tableName(contract), groupId))?.batchIds ?? [],
  };
}

const BUCKET = /\/bucket-(\d+)\.[a-z]+$/;

function toParquet(contract: CompiledContract): (bytes: Buffer) => Uint8Array | Promise<Uint8Array> {
  const { sink } = contract;
  if (sink.kind !== 'append-log' || sink.format !== 'avro') return (bytes) => bytes;
  const columns = [...contract.columns, ...systemColumns(contract)];
  return async (bytes) => encodeParquet(columns, await decodeLogRows(contract, bytes), false);
}

async function readLogFiles(resources: CommitterResources, { contract }: ComparedTable): Promise<HeldTable> {
  const toFile = ({ uri, updated }: StoredObject): HeldFile => ({
    bucket: Number(BUCKET.exec(uri)?.[1] ?? 0),
    writtenBy: { file: uri, snapshotId: null, at: updated, groupId: null },
  });
  const files: HeldFile[] = [];
  for await (const object of listLog(resources, contract)) files.push(toFile(object));
  return {
    ...EMPTY,
    files,
    download: (scratch, of) =>
      scratch.download(
        of.map(({ writtenBy }) => writtenBy.file),
        toParquet(contract),
      ),
  };
}

/**
 * Opens a table at a snapshot, or a log as it is. One that does not exist is empty.
 *
 * @throws CupelError CUP_SNAPSHOT_NOT_FOUND
 */
export function readTable(resources: CommitterResources, table: ComparedTable): Promise<HeldTable> {
  return table.contract.sink.kind === 'append-log' ? readLogFiles(resources, table) : readIceberg(resources, table);
}
