import pLimit from 'p-limit';
import type { DeltaStore } from '../deltas/index.ts';
import type { ObjectStore, StoredObject } from '../object-store.ts';
import { ORPHAN_AGE_MS } from './orphans.ts';

/** What a run may take that was planned once: a paused backfill keeps its plan and its chunks for so long. */
const RUN_AGE_MS = 90 * 24 * 3_600_000;

/** Manifests read at once. */
const AT_ONCE = 16;

/** What was deleted in the ops bucket. */
export interface SweptOps {
  /** Plans with their indexes, marks of batches that await an audit, and reports of comparisons, that no run can be at any more. */
  plans: number;
  /** Chunks whose batch is settled, and those that were given up long ago. */
  chunks: number;
  /** Delta files that lost: no manifest names them. */
  deltas: number;
}

/** What the sweep works with. */
export interface SweepResources {
  store: ObjectStore;
  deltas: DeltaStore;
  opsBucket: string;
  /** Milliseconds since 1970. */
  nowMs: number;
  /** Called now and then, to show that work goes on. */
  progress?(swept: number): void;
}

async function listOld({ store, nowMs }: SweepResources, prefix: string, ageMs: number): Promise<StoredObject[]> {
  const old: StoredObject[] = [];
  for await (const object of store.list(prefix)) if (nowMs - Date.parse(object.updated) >= ageMs) old.push(object);
  return old;
}

async function deleteAll({ store, progress }: SweepResources, uris: string[]): Promise<number> {
  const limit = pLimit(AT_ONCE);
  let swept = 0;
  const remove = async (uri: string): Promise<void> => {
    await store.delete(uri);
    swept += 1;
    progress?.(swept);
  };
  await Promise.all(uris.map((uri) => limit(() => remove(uri))));
  return swept;
}

/** Delta files of a table that their batch's manifest does not name. A manifest itself is never deleted. */
async function losingDeltas(resources: SweepResources, table: string, ageMs: number): Promise<string[]> {
  const prefix = `gs://${resources.opsBucket}/_deltas/${table}/`;
  const old = await listOld(resources, prefix, ageMs);
  const files = old.filter(({ uri }) => uri.endsWith('.parquet')).map(({ uri }) => uri);
  const batchOf = (uri: string): string => uri.slice(prefix.length).split('/', 1)[0] ?? '';
  const limit = pLimit(AT_ONCE);
  const losing = [...Map.groupBy(files, batchOf)].map(([batchId, uris]) =>
    limit(async () => {
      // Read after the listing: a manifest that was published meanwhile is seen.
      const manifest = await resources.deltas.readManifest(table, batchId);
      resources.progress?.(0);
      const named = new Set(manifest?.files.map((file) => file.uri));
      return uris.filter((uri) => !named.has(uri));
    }),
  );
  return (await Promise.all(losing)).flat();
}

/** Chunks of a source's table that no job will read again. */
async function spentChunks(resources: SweepResources, table: string, ageMs: number): Promise<string[]> {
  const prefix = `gs://${resources.opsBucket}/chunks/`;
  const settled = new Set((await resources.deltas.listSettled(table)).map(({ batchId }) => batchId));
  const old = await listOld(resources, prefix, ageMs);
  return old
    .filter(({ uri, updated }) => {
      const batchId = uri.slice(prefix.length).replace(/(?:\.landed)?\.json$/, '');
      return settled.has(batchId) || resources.nowMs - Date.parse(updated) >= RUN_AGE_MS;
    })
    .map(({ uri }) => uri);
}

/**
 * Deletes what runs leave in the ops bucket and nobody needs: old plans, spent chunks, delta files that lost. Manifests,
 * outcomes and groups stay: they are the truth that the ledger is made from.
 *
 * @param ageMs age from which on a delta or chunk may go. Default 3 days
 */
export async function sweepOps(resources: SweepResources, table: string, ageMs = ORPHAN_AGE_MS): Promise<SweptOps> {
  const ofRuns = ['plans', 'redrives', 'backfills', 'pulls', 'parity'].map((folder) =>
    listOld(resources, `gs://${resources.opsBucket}/${folder}/`, Math.max(ageMs, RUN_AGE_MS)),
  );
  const plans = (await Promise.all(ofRuns)).flat();
  return {
    plans: await deleteAll(
      resources,
      plans.map(({ uri }) => uri),
    ),
    chunks: await deleteAll(resources, await spentChunks(resources, table, ageMs)),
    deltas: await deleteAll(resources, await losingDeltas(resources, table, ageMs)),
  };
}
