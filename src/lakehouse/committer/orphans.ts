import type { IcebergTable } from '../iceberg/index.ts';
import type { ObjectStore } from '../object-store.ts';

/** Time that a writer may take from its first file to its commit; the sweep leaves younger files alone. */
export const ORPHAN_AGE_MS = 3 * 24 * 3_600_000;

/**
 * Deletes what no snapshot needs: files of commits that failed or whose answer was lost, and of expired snapshots.
 * The files of every snapshot in the metadata stay, and so does anything younger than the age.
 *
 * @returns number of objects deleted
 */
export async function sweepOrphans(
  table: IcebergTable,
  store: ObjectStore,
  nowMs: number,
  ageMs = ORPHAN_AGE_MS,
): Promise<number> {
  const old: string[] = [];
  for await (const object of store.list(`${table.metadata.location}/`)) {
    // Metadata files are the catalog's own business.
    if (object.uri.endsWith('.metadata.json')) continue;
    if (nowMs - Date.parse(object.updated) >= ageMs) old.push(object.uri);
  }
  // The references are read after the listing, so that a commit in between is seen.
  await table.refresh();
  const needed = await table.referencedFiles();
  const orphans = old.filter((uri) => !needed.has(uri));
  for (const uri of orphans) await store.delete(uri);
  return orphans.length;
}

/**
 * Deletes blocks that jobs staged and left behind.
 *
 * @returns number of objects deleted
 */
export async function sweepStaged(
  store: ObjectStore,
  opsBucket: string,
  nowMs: number,
  ageMs = ORPHAN_AGE_MS,
): Promise<number> {
  let swept = 0;
  for await (const block of store.list(`gs://${opsBucket}/stage/`)) {
    if (nowMs - Date.parse(block.updated) < ageMs) continue;
    await store.delete(block.uri);
    swept += 1;
  }
  return swept;
}
