import { hourOfMicros } from '../../contracts/index.ts';
import type { CompiledContract, Row } from '../../contracts/index.ts';
import type { DeltaFile, Manifest } from '../deltas/index.ts';
import { mergeObject } from './merge-object.ts';
import type { LogResources } from './merge-object.ts';
import { decodeParquetRows } from './parquet-rows.ts';

/** What appending did. */
export interface Appended {
  inserted: number;
  updated: number;
  bytesWritten: number;
}

async function appendBucket(
  resources: LogResources,
  contract: CompiledContract,
  bucket: number,
  files: DeltaFile[],
  appended: Appended,
): Promise<void> {
  const rows: Row[] = [];
  for (const { uri } of files)
    for (const row of await decodeParquetRows(contract, await resources.store.read(uri))) rows.push(row);
  for (const [hour, members] of Map.groupBy(rows, (row) => hourOfMicros(row._hour as bigint))) {
    const { inserted, updated, bytesWritten } = await mergeObject(resources, contract, { hour, bucket }, members);
    appended.inserted += inserted;
    appended.updated += updated;
    appended.bytesWritten += bytesWritten;
  }
}

/** Adds the deltas of batches to a log, bucket by bucket, so that one bucket's rows are held at a time. Safe to repeat. */
export async function appendBatches(
  resources: LogResources,
  contract: CompiledContract,
  manifests: Manifest[],
): Promise<Appended> {
  const appended: Appended = { inserted: 0, updated: 0, bytesWritten: 0 };
  const byBucket = Map.groupBy(
    manifests.flatMap(({ files }) => files),
    ({ bucket }) => bucket,
  );
  for (const [bucket, files] of byBucket) await appendBucket(resources, contract, bucket, files, appended);
  return appended;
}
