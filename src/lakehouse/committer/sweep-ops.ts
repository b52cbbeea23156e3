import pLimit from 'p-limit';
import type { DeltaStore, ListedBatch } from '../deltas/index.ts';
import type { ObjectStore, StoredObject } from '../object-store.ts';
import { StreamLog } from '../streams/index.ts';
import { ORPHAN_AGE_MS } from './orphans.ts';
import { ripeBatch, sweepStreamed } from './sweep-streamed.ts';
import type { RipeBatch, SweptStreamed } from './sweep-streamed.ts';

/** What a run may take that was planned once: a paused backfill keeps its plan and its chunks for so long. */
const RUN_AGE_MS = 90 * 24 * 3_600_000;

/** Manifests read at once, and objects deleted. */
const AT_ONCE = 16;

/** Batches of a listing that are looked at together: of so many the names of files are held at once. */
const PAGE = 256;

/** Where runs leave what they may need again until they end. */
const OF_RUNS = ['plans', 'redrives', 'backfills', 'pulls', 'parity', 'streams/_reports'];

/** What was deleted in the ops bucket. */
export interface SweptOps extends SweptStreamed {
  /** Plans with their indexes, marks of batches that await an audit, and reports of comparisons and jobs, that no run can be at any more. */
  plans: number;
  /** Chunks whose batch is settled, and those that were given up long ago. */
  chunks: number;
  /** Delta files that nobody reads: no manifest names them, or their batch is of a stream and settled. */
  deltas: number;
}

/** What the sweep works with. */
export interface SweepResources {
  store: ObjectStore;
  deltas: DeltaStore;
  opsBucket: string;
  /** Groups of the snapshots that the table keeps. */
  keptGroups: ReadonlySet<string>;
  /** Milliseconds since 1970. */
  nowMs: number;
  /** Called now and then, to show that work goes on. */
  progress?(swept: number): void;
}

/** What is swept, and from which age on a delta or chunk may go. */
interface Swept {
  table: string;
  source: string;
  ageMs: number;
}

const isOld = (nowMs: number, { updated }: StoredObject, ageMs: number): boolean =>
  nowMs - Date.parse(updated) >= ageMs;

async function listOld({ store, nowMs }: SweepResources, prefix: string, ageMs: number): Promise<StoredObject[]> {
  const old: StoredObject[] = [];
  for await (const object of store.list(prefix)) if (isOld(nowMs, object, ageMs)) old.push(object);
  return old;
}

async function deleteAll({ store, progress }: SweepResources, objects: StoredObject[]): Promise<number> {
  const limit = pLimit(AT_ONCE);
  let swept = 0;
  const remove = async (uri: string): Promise<void> => {
    await store.delete(uri);
    swept += 1;
    progress?.(swept);
  };
  await Promise.all(objects.map(({ uri }) => limit(() => remove(uri))));
  return swept;
}

/** What becomes of a batch. */
interface Fate {
  /** Delta files that go. */
  files: StoredObject[];
  ripe?: RipeBatch;
}

/**
 * Delta files that nobody reads, and whether the batch itself may go. Of a batch that is no stream's all stays that its manifest
 * names: a later run over the same chunk is the same batch, and takes it as done.
 */
async function fateOf(resources: SweepResources, { table, source, ageMs }: Swept, batch: ListedBatch): Promise<Fate> {
  const { nowMs, deltas, progress } = resources;
  const old = batch.files.filter((file) => isOld(nowMs, file, ageMs));
  const ripe = ripeBatch(batch, nowMs);
  if (!old.length && !ripe) return { files: [] };
  // Read after the listing: a manifest that was published meanwhile is seen.
  const manifest = await deltas.readManifest(table, batch.batchId);
  progress?.(0);
  // Only a streamed batch may have an outcome and no manifest: an earlier sweep was interrupted.
  const streamed = manifest ? manifest.stream !== undefined && manifest.source === source : true;
  const settled = batch.done !== undefined && isOld(nowMs, batch.done, ageMs);
  const named = new Set(streamed && settled ? [] : manifest?.files.map(({ uri }) => uri));
  const files = old.filter(({ uri }) => !named.has(uri));
  // Files first: one that is young yet keeps its batch.
  return { files, ...(ripe && streamed && files.length === batch.files.length ? { ripe } : {}) };
}

/** Sweeps the delta files of a table, page by page of its listing. */
async function sweepDeltas(
  resources: SweepResources,
  of: Swept,
): Promise<{ deltas: number; settled: Set<string>; ripe: RipeBatch[] }> {
  const limit = pLimit(AT_ONCE);
  const found = { deltas: 0, settled: new Set<string>(), ripe: [] as RipeBatch[] };
  const sweepPage = async (page: ListedBatch[]): Promise<void> => {
    const fates = await Promise.all(page.map((batch) => limit(() => fateOf(resources, of, batch))));
    found.deltas += await deleteAll(
      resources,
      fates.flatMap(({ files }) => files),
    );
    found.ripe.push(...fates.flatMap(({ ripe }) => ripe ?? []));
  };
  let page: ListedBatch[] = [];
  for await (const batch of resources.deltas.listBatches(of.table)) {
    if (batch.done) found.settled.add(batch.batchId);
    page.push(batch);
    if (page.length < PAGE) continue;
    await sweepPage(page);
    page = [];
  }
  await sweepPage(page);
  return found;
}

/** Chunks that no job will read again. */
async function spentChunks(
  resources: SweepResources,
  settled: ReadonlySet<string>,
  ageMs: number,
): Promise<StoredObject[]> {
  const prefix = `gs://${resources.opsBucket}/chunks/`;
  const old = await listOld(resources, prefix, ageMs);
  return old.filter((object) => {
    const batchId = object.uri.slice(prefix.length).replace(/(?:\.landed)?\.json$/, '');
    return settled.has(batchId) || isOld(resources.nowMs, object, RUN_AGE_MS);
  });
}

/** Without those that somebody still follows: a stream that stood still enters them into the ledger when it goes on. */
async function unfollowed(
  { store, opsBucket }: SweepResources,
  source: string,
  ripe: RipeBatch[],
): Promise<RipeBatch[]> {
  if (!ripe.length) return [];
  const followed = await new StreamLog(store, opsBucket, source).batchIds();
  return ripe.filter(({ batchId }) => !followed.has(batchId));
}

/**
 * Deletes what runs leave in the ops bucket and nobody needs: old plans, spent chunks, delta files that lost; and of streamed batches
 * first the deltas, then, weeks later, all but a line in a roll (sweep-streamed.ts). Manifests, outcomes and groups of other batches
 * stay: they are the truth that the ledger is made from. Safe to repeat after any crash.
 *
 * @param ageMs age from which on a delta or chunk may go. Default 3 days
 */
export async function sweepOps(
  resources: SweepResources,
  { table, source }: { table: string; source: string },
  ageMs = ORPHAN_AGE_MS,
): Promise<SweptOps> {
  const ofRuns = OF_RUNS.map((folder) =>
    listOld(resources, `gs://${resources.opsBucket}/${folder}/`, Math.max(ageMs, RUN_AGE_MS)),
  );
  const plans = await deleteAll(resources, (await Promise.all(ofRuns)).flat());
  const { deltas, settled, ripe } = await sweepDeltas(resources, { table, source, ageMs });
  const chunks = await deleteAll(resources, await spentChunks(resources, settled, ageMs));
  const swept = await sweepStreamed(resources, table, await unfollowed(resources, source, ripe));
  return { plans, chunks, deltas, ...swept };
}
