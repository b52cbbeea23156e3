import { systemColumns, tableName } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { appendBatches } from '../append-log/index.ts';
import { groupId as groupIdOf } from '../deltas/index.ts';
import type { DeltaFile, Done, Manifest } from '../deltas/index.ts';
import { IcebergTable, layoutFor } from '../iceberg/index.ts';
import type { DataFile, Layout } from '../iceberg/index.ts';
import { outcomeOf, readManifests, toDone, UNCHANGED } from './commit-waiting.ts';
import type { CommitterResources, Outcome } from './commit-waiting.ts';
import { partitionField, writeDataFile } from './data-file.ts';
import { checkIncoming, loadIncoming } from './merge.ts';
import { Scratch } from './scratch.ts';
import { ensureSilverTable } from './silver-table.ts';

/** Name of the summary property that ties a snapshot to the rebuild that made it. */
export const REBUILD_PROPERTY = 'cupel.rebuild-id';

/** Columns and partitions that a table gets from a contract. */
function layoutOf(contract: CompiledContract, table: IcebergTable): Layout {
  const [key = ''] = contract.key;
  return layoutFor(table.metadata, {
    columns: [...contract.columns, ...systemColumns(contract)],
    partitionColumn: key,
    partitionField: partitionField(key),
    transform: `bucket[${contract.sink.bucketCount}]`,
  });
}

/** One file of all rows of a bucket: the greatest of each key, with the least of its first versions. */
async function writeBucket(
  { store }: CommitterResources,
  contract: CompiledContract,
  target: Pick<IcebergTable, 'schema' | 'metadata'>,
  bucket: number,
  deltas: DeltaFile[],
): Promise<DataFile> {
  return Scratch.use(store, async (scratch) => {
    await loadIncoming(scratch, contract, deltas);
    await checkIncoming(scratch, contract);
    return writeDataFile(scratch, target, contract.key[0] ?? '', bucket, 'select * from incoming');
  });
}

async function writeBuckets(
  resources: CommitterResources,
  contract: CompiledContract,
  target: Pick<IcebergTable, 'schema' | 'metadata'>,
  manifests: Manifest[],
): Promise<DataFile[]> {
  const deltas = Map.groupBy(
    manifests.flatMap(({ files }) => files),
    ({ bucket }) => bucket,
  );
  const files: DataFile[] = [];
  for (const [bucket, of] of [...deltas].sort(([a], [b]) => a - b))
    files.push(await writeBucket(resources, contract, target, bucket, of));
  return files;
}

/** The table as it is, whatever its columns; made by the contract where there is none. */
async function openTable(resources: CommitterResources, contract: CompiledContract): Promise<IcebergTable> {
  const { catalog, store } = resources;
  const { namespace, table } = contract.sink;
  return (
    (await IcebergTable.load(catalog, store, namespace, table)) ?? (await ensureSilverTable(catalog, store, contract))
  );
}

async function replaceTable(
  resources: CommitterResources,
  contract: CompiledContract,
  manifests: Manifest[],
  putIntoForce: () => Promise<void>,
): Promise<Outcome> {
  const table = await openTable(resources, contract);
  const groupId = groupIdOf(manifests.map(({ batchId }) => batchId));
  const rebuildId = `${contract.hash}/${groupId}`;
  const done = table.snapshots.find(({ summary }) => summary[REBUILD_PROPERTY] === rebuildId);
  if (done) return { ...outcomeOf(done), groupId };
  const layout = layoutOf(contract, table);
  const files = await writeBuckets(resources, contract, { ...layout, metadata: table.metadata }, manifests);
  const inserted = files.reduce((sum, { record_count }) => sum + record_count, 0);
  // First: from now on nobody merges what older rules made, neither before this commit nor after it.
  await putIntoForce();
  const snapshot = await table.replaceAll(layout, files, {
    [REBUILD_PROPERTY]: rebuildId,
    'cupel.inserted-rows': String(inserted),
  });
  return { ...outcomeOf(snapshot), groupId };
}

/** A log has another place than before, so its records are only added. */
async function fillLog(
  resources: CommitterResources,
  contract: CompiledContract,
  manifests: Manifest[],
  putIntoForce: () => Promise<void>,
): Promise<Outcome> {
  await putIntoForce();
  return { ...UNCHANGED, ...(await appendBatches(resources, contract, manifests)) };
}

/**
 * Makes a table anew from batches that hold all of Bronze, in one snapshot that replaces everything: new files with the columns and
 * partitions of the contract. Earlier snapshots stay as they are. Bucket by bucket, so that one bucket's rows are held at a time.
 * Safe to repeat after any crash.
 *
 * @param putIntoForce puts the contract into force; called when all files are written, before the commit
 * @returns the outcome of each batch, in order
 * @throws CupelError CUP_DELTA_INVALID, CUP_COMMIT_CONFLICT, CUP_COMMIT_UNKNOWN, CUP_OBJECT_NOT_FOUND
 */
export async function rebuildTable(
  resources: CommitterResources,
  contract: CompiledContract,
  batchIds: string[],
  putIntoForce: () => Promise<void>,
): Promise<Done[]> {
  const name = tableName(contract);
  const manifests = await readManifests(resources.deltas, name, batchIds);
  const rebuild = contract.sink.kind === 'append-log' ? fillLog : replaceTable;
  const outcome = await rebuild(resources, contract, manifests, putIntoForce);
  const dones = manifests.map((manifest) => toDone(manifest, outcome));
  for (const done of dones) await resources.deltas.writeDone(name, done);
  return dones;
}
