import { CupelError } from '../../errors.ts';
import type { IcebergTable } from '../iceberg/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { auditPrefix } from './audit-name.ts';

/** Time that a writer may take from its first file to its commit; the sweep leaves younger files alone. */
export const ORPHAN_AGE_MS = 3 * 24 * 3_600_000;

/** Files that the audit tables of a table list: the table itself may have rewritten and expired them since. */
async function auditedFiles(table: IcebergTable): Promise<Set<string>> {
  const files = new Set<string>();
  for (const audit of await table.siblings(auditPrefix(table.name))) {
    try {
      for (const file of await audit.referencedFiles()) files.add(file);
    } catch (error) {
      // An audit that was dropped meanwhile needs nothing; a living one that cannot be read stops the sweep.
      const gone = error instanceof CupelError && error.code === 'CUP_OBJECT_NOT_FOUND';
      if (!gone || (await table.siblings(audit.name)).some(({ name }) => name === audit.name)) throw error;
    }
  }
  return files;
}

/**
 * Deletes what no snapshot needs: files of commits that failed or whose answer was lost, and of expired snapshots.
 * The files of every snapshot in the metadata stay, those that a living audit table lists, and anything younger than the age.
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
  // The audits come last: one that began before then is seen, or its snapshot of the table was still there just now.
  const audited = await auditedFiles(table);
  const orphans = old.filter((uri) => !needed.has(uri) && !audited.has(uri));
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
