import { tableName } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { CupelError, cupelError } from '../../errors.ts';
import { groupId as groupIdOf } from '../deltas/index.ts';
import type { DeltaStore, Done, Manifest } from '../deltas/index.ts';
import type { IcebergTable, RestCatalog, Snapshot } from '../iceberg/index.ts';
import { appendBatches } from '../append-log/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { mergeDeltas } from './merge.ts';
import type { Merged } from './merge.ts';
import { Scratch } from './scratch.ts';
import { ensureSilverTable } from './silver-table.ts';

/** Batches of one group: bounds the list that a crash leaves to look up. */
export const MAX_GROUP = 200;

/** Snapshots looked through for a batch whose outcome was lost: a group's outcome is written right after its commit. */
const LOOK_BACK = 20;

/** Conflicts with foreign writers (Spark, say) before Temporal is asked to try later. */
const MAX_CONFLICTS = 5;

/** Name of the summary property that ties a snapshot to its group. */
export const GROUP_PROPERTY = 'cupel.group-id';

/** What the committer works with. */
export interface CommitterResources {
  catalog: RestCatalog;
  store: ObjectStore;
  deltas: DeltaStore;
  /** Bucket of logs. */
  silverBucket: string;
  /** Hashes of the contracts whose batches a source's table takes. Default: those of any. */
  lineageOf?: (source: string) => Promise<readonly string[] | undefined>;
}

/** What a merge of a group did. */
export interface Outcome {
  /** Null: the table held all of it, or it is a log, which has no snapshots. */
  snapshotId: string | null;
  groupId: string | null;
  /** Rows of new keys. */
  inserted: number;
  /** Rows of known keys that changed. */
  updated: number;
  bytesWritten: number;
}

/** What a merge that changed nothing did. */
export const UNCHANGED: Outcome = { snapshotId: null, groupId: null, inserted: 0, updated: 0, bytesWritten: 0 };

/** What the snapshot of a group did, as its summary tells. */
export function outcomeOf(snapshot: Snapshot): Outcome {
  const { summary } = snapshot;
  return {
    snapshotId: String(snapshot['snapshot-id']),
    groupId: summary[GROUP_PROPERTY] ?? null,
    inserted: Number(summary['cupel.inserted-rows'] ?? 0),
    updated: Number(summary['cupel.updated-rows'] ?? 0),
    bytesWritten: Number(summary['added-files-size'] ?? 0),
  };
}

/** A snapshot that already holds one of the batches: the commit took effect, and its outcome was lost. */
async function findCommitted(
  deltas: DeltaStore,
  table: IcebergTable,
  name: string,
  batchIds: string[],
): Promise<Map<string, Outcome>> {
  const wanted = new Set(batchIds);
  const found = new Map<string, Outcome>();
  const snapshots = table.snapshots.slice(-LOOK_BACK);
  const groupOf = async ({ summary }: Snapshot) => {
    const groupId = summary[GROUP_PROPERTY];
    return groupId ? deltas.readGroup(name, groupId) : undefined;
  };
  const groups = await Promise.all(snapshots.map(groupOf));
  for (const [index, snapshot] of snapshots.entries()) {
    const group = groups[index];
    for (const batchId of group?.batchIds ?? []) {
      if (wanted.has(batchId)) found.set(batchId, outcomeOf(snapshot));
    }
  }
  return found;
}

/** How a batch of a group ended. */
export function toDone(manifest: Manifest, outcome: Outcome): Done {
  return {
    version: 1,
    batchId: manifest.batchId,
    outcome: outcome.snapshotId === null && !outcome.bytesWritten ? 'unchanged' : 'committed',
    snapshotId: outcome.snapshotId,
    groupId: outcome.groupId,
    fingerprint: manifest.fingerprint,
    rows: manifest.rows,
    bytes: manifest.files.reduce((total, file) => total + file.bytes, 0),
    groupBytesWritten: outcome.bytesWritten,
  };
}

async function commitMerged(table: IcebergTable, merged: Merged, groupId: string): Promise<Outcome> {
  if (!merged.add.length && !merged.remove.size) return UNCHANGED;
  const snapshot = await table.commit({
    operation: merged.remove.size ? 'overwrite' : 'append',
    add: merged.add,
    remove: merged.remove,
    summary: {
      [GROUP_PROPERTY]: groupId,
      'cupel.inserted-rows': String(merged.inserted),
      'cupel.updated-rows': String(merged.updated),
    },
  });
  return outcomeOf(snapshot);
}

/** A batch from before a rebuild was made by other rules, so it must not get into the table that the rebuild made. */
async function refuseSuperseded({ lineageOf }: CommitterResources, manifests: Manifest[]): Promise<void> {
  const [first] = manifests;
  const lineage = first && (await lineageOf?.(first.source));
  const old = lineage && manifests.find(({ contractHash }) => !lineage.includes(contractHash));
  if (old) throw cupelError('CUP_CONTRACT_SUPERSEDED', { batch: old.batchId, contract: old.contractHash });
}

/** Merges batches into a table and commits them as one snapshot; again where another writer was first. */
export async function mergeAndCommit(
  resources: CommitterResources,
  contract: CompiledContract,
  table: IcebergTable,
  manifests: Manifest[],
): Promise<Outcome> {
  const { store } = resources;
  const groupId = groupIdOf(manifests.map((manifest) => manifest.batchId));
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      await refuseSuperseded(resources, manifests);
      return await Scratch.use(store, async (scratch) => {
        const files = manifests.flatMap((manifest) => manifest.files);
        return commitMerged(table, await mergeDeltas(scratch, contract, table, files), groupId);
      });
    } catch (error) {
      // Another writer was first: merge again onto what it left. The table was read anew when the conflict was seen.
      if (!(error instanceof CupelError) || error.code !== 'CUP_COMMIT_CONFLICT' || conflicts === MAX_CONFLICTS)
        throw error;
    }
  }
}

/** @throws CupelError CUP_OBJECT_NOT_FOUND naming a batch that was never published */
export async function readManifests(deltas: DeltaStore, table: string, batchIds: string[]): Promise<Manifest[]> {
  return Promise.all(
    batchIds.map(async (batchId) => {
      const manifest = await deltas.readManifest(table, batchId);
      if (!manifest) throw cupelError('CUP_OBJECT_NOT_FOUND', { table, manifest: batchId });
      return manifest;
    }),
  );
}

/** Merges what is to be found again by its group after a crash. */
async function mergeGroup(
  resources: CommitterResources,
  contract: CompiledContract,
  table: IcebergTable,
  manifests: Manifest[],
): Promise<Outcome> {
  const batchIds = manifests.map((manifest) => manifest.batchId);
  await resources.deltas.writeGroup({ groupId: groupIdOf(batchIds), table: tableName(contract), batchIds });
  return mergeAndCommit(resources, contract, table, manifests);
}

async function mergeIntoTable(
  resources: CommitterResources,
  contract: CompiledContract,
  manifests: Manifest[],
): Promise<(Outcome | undefined)[]> {
  const table = await ensureSilverTable(resources.catalog, resources.store, contract);
  const batchIds = manifests.map((manifest) => manifest.batchId);
  const committed = await findCommitted(resources.deltas, table, tableName(contract), batchIds);
  const toMerge = manifests.filter((manifest) => !committed.has(manifest.batchId));
  const outcome = toMerge.length ? await mergeGroup(resources, contract, table, toMerge) : undefined;
  return manifests.map((manifest) => committed.get(manifest.batchId) ?? outcome);
}

/** A log has no snapshot that could tell of a group: appending again finds everything there. */
async function appendToLog(
  resources: CommitterResources,
  contract: CompiledContract,
  manifests: Manifest[],
): Promise<Outcome[]> {
  await refuseSuperseded(resources, manifests);
  const appended = await appendBatches(resources, contract, manifests);
  return manifests.map(() => ({ ...UNCHANGED, ...appended }));
}

/**
 * Merges the batches and commits them as one snapshot, or as none where the table holds all of it. Safe to call again with
 * the same batches after any crash: a settled batch is answered from its `.done`, a committed one whose outcome was lost is
 * found by its group in the snapshots, and merging one twice changes nothing.
 *
 * @param batchIds at most {@link MAX_GROUP}
 * @returns the outcome of each batch, in order
 * @throws CupelError CUP_DELTA_INVALID, CUP_COMMIT_CONFLICT, CUP_COMMIT_UNKNOWN, CUP_TABLE_SCHEMA, CUP_CONTRACT_SUPERSEDED
 */
export async function commitWaiting(
  resources: CommitterResources,
  contract: CompiledContract,
  batchIds: string[],
): Promise<Done[]> {
  const name = tableName(contract);
  const { deltas } = resources;
  const known = await Promise.all(batchIds.map((batchId) => deltas.readDone(name, batchId)));
  const open = batchIds.filter((_, index) => !known[index]);
  if (open.length) {
    const manifests = await readManifests(deltas, name, open);
    const commit = contract.sink.kind === 'append-log' ? appendToLog : mergeIntoTable;
    const outcomes = await commit(resources, contract, manifests);
    const settle = async (manifest: Manifest, index: number): Promise<void> => {
      const mine = outcomes[index];
      if (mine) await deltas.writeDone(name, toDone(manifest, mine));
    };
    await Promise.all(manifests.map(settle));
  }
  const settled = await Promise.all(batchIds.map((batchId) => deltas.readDone(name, batchId)));
  return settled.map((done, index) => {
    if (!done) throw cupelError('CUP_OBJECT_NOT_FOUND', { table: name, outcome: batchIds[index] });
    return done;
  });
}
