import type { CompiledContract } from '../../contracts/index.ts';
import type { DataFile, IcebergTable } from '../iceberg/index.ts';
import type { CommitterResources } from './commit-waiting.ts';
import { bucketOfFile, writeDataFile } from './data-file.ts';
import { downloadDataFiles } from './download-data-files.ts';
import { readParquet, Scratch } from './scratch.ts';
import { ensureSilverTable } from './silver-table.ts';

/** When a bucket is compacted. */
export interface CompactionPolicy {
  /** Files of one bucket from which on they become one. Default 8. */
  minFiles?: number;
  /** Files above this size stay as they are. Default 128 MiB, Iceberg's usual target is 512 MiB: ours are read by laptops too. */
  maxBytes?: number;
}

function candidates(files: DataFile[], key: string, policy: CompactionPolicy): DataFile[][] {
  const small = files.filter((file) => file.file_size_in_bytes <= (policy.maxBytes ?? 128 << 20));
  const buckets = Map.groupBy(small, (file) => bucketOfFile(file, key));
  return [...buckets.values()].filter((bucket) => bucket.length >= (policy.minFiles ?? 8));
}

async function compactBucket(scratch: Scratch, table: IcebergTable, key: string, files: DataFile[]): Promise<DataFile> {
  const local = await downloadDataFiles(scratch, table.schema, files);
  const bucket = bucketOfFile(files[0] as DataFile, key);
  return writeDataFile(
    scratch,
    table,
    key,
    bucket,
    `select * exclude (_file) from ${readParquet(table.schema.fields, local)}`,
  );
}

/**
 * Makes one file of the small files of each bucket that has many: a `replace` snapshot with the same rows.
 *
 * @returns number of files that became fewer; 0 commits nothing
 */
export async function compact(
  resources: CommitterResources,
  contract: CompiledContract,
  policy: CompactionPolicy = {},
): Promise<number> {
  const table = await ensureSilverTable(resources.catalog, resources.store, contract);
  const key = contract.key[0] ?? '';
  const buckets = candidates(await table.dataFiles(), key, policy);
  if (!buckets.length) return 0;
  return Scratch.use(resources.store, async (scratch) => {
    const add: DataFile[] = [];
    for (const files of buckets) add.push(await compactBucket(scratch, table, key, files));
    const remove = new Set(buckets.flat().map((file) => file.file_path));
    await table.commit({ operation: 'replace', add, remove, summary: {} });
    return remove.size - add.length;
  });
}
