import pLimit from 'p-limit';
import type { CompiledContract } from '../../contracts/index.ts';
import type { DeltaStore, Done, ListedBatch, RolledBatch } from '../deltas/index.ts';
import { IcebergTable } from '../iceberg/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { GROUP_PROPERTY } from './commit-waiting.ts';
import type { CommitterResources } from './commit-waiting.ts';

// What of a streamed batch goes, and in which order. Whatever crash comes in between, no batch may look as if it waited: a manifest
// without an outcome does, and would be merged again from files that are gone. So, each step only after the one before it:
//
//   1. its delta files, some days after it was settled: only the merge of an unsettled batch reads them;
//   2. the roll of the day it was settled on is written: all that the ledger tells of it, since the ledger can be made anew;
//   3. the list of its group, once no other batch of the group is left: a crash after step 5 would leave nothing that names it;
//   4. its manifest: a batch with an outcome and no manifest is settled, and the next sweep finds it by its outcome;
//   5. its outcome, last.
//
// Manifest and outcome are deleted in the generation that was listed. The same messages that come again after step 4 are published
// anew with files of their own, and nobody who still works on an old listing takes these away. With its outcome there they count as
// settled, which they are; without it they are merged once more, which changes no row (docs/kappa-law.md).

const DAY_MS = 24 * 3_600_000;

/**
 * How long manifest and outcome of a streamed batch are kept after the day it was settled on. Pub/Sub delivers a message for at most
 * 31 days (no topic or subscription retains one longer), and for so long the same messages may come again as the same batch. Two weeks
 * more are for whoever has one in hand by then: a runner that keeps late elements back, for a day and a week at most, and a job that
 * is slow to tell of its batch.
 */
export const STREAMED_AGE_MS = 45 * DAY_MS;

/** Objects read or deleted at once. */
const AT_ONCE = 16;

/** What the sweep of streamed batches works with. */
export interface StreamedResources {
  store: Pick<ObjectStore, 'delete'>;
  deltas: DeltaStore;
  /** Groups of the snapshots that are kept: whoever asks for the batches of such a snapshot finds them. */
  keptGroups: ReadonlySet<string>;
  /** Called now and then, to show that work goes on. */
  progress?(swept: number): void;
}

/** What was deleted. */
export interface SweptStreamed {
  /** Batches of which only a line in the roll of their day is left. */
  streamed: number;
  /** Lists of the batches of snapshots that have expired. */
  groups: number;
}

/** A generation of an object. */
type Listed = Pick<NonNullable<ListedBatch['done']>, 'uri' | 'generation'>;

/** A streamed batch that was settled long enough ago. */
export interface RipeBatch {
  batchId: string;
  /** When it was settled, RFC 3339. */
  at: string;
  /** Absent: an earlier sweep has deleted it. */
  manifest?: Listed;
  done: Listed;
}

interface Judged {
  ripe: RipeBatch;
  done: Done;
}

/** Groups of the snapshots that a contract's table keeps. A log has none. */
export async function groupsOfSnapshots(
  { catalog, store }: Pick<CommitterResources, 'catalog' | 'store'>,
  { sink }: CompiledContract,
): Promise<Set<string>> {
  if (sink.kind === 'append-log') return new Set();
  const table = await IcebergTable.load(catalog, store, sink.namespace, sink.table);
  return new Set((table?.snapshots ?? []).flatMap(({ summary }) => summary[GROUP_PROPERTY] ?? []));
}

/** A batch as ripe, if the whole day on which it was settled is old enough: so a day has one roll. Whether it is streamed is not looked at. */
export function ripeBatch({ batchId, manifest, done }: ListedBatch, nowMs: number): RipeBatch | undefined {
  if (!done) return undefined;
  const endOfDay = (Math.floor(Date.parse(done.updated) / DAY_MS) + 1) * DAY_MS;
  if (nowMs - endOfDay < STREAMED_AGE_MS) return undefined;
  const named = ({ uri, generation }: Listed): Listed => ({ uri, generation });
  return { batchId, at: done.updated, done: named(done), ...(manifest ? { manifest: named(manifest) } : {}) };
}

/** Applies some at once, and shows that work goes on. */
async function each<T, R>(
  { progress }: StreamedResources,
  items: Iterable<T>,
  apply: (item: T) => Promise<R>,
): Promise<R[]> {
  const limit = pLimit(AT_ONCE);
  const applied = async (item: T): Promise<R> => {
    const result = await apply(item);
    progress?.(0);
    return result;
  };
  return Promise.all([...items].map((item) => limit(() => applied(item))));
}

/** With their outcomes, without those whose snapshot is kept. An outcome that is gone by now: another sweep was faster. */
async function judge(resources: StreamedResources, table: string, ripe: RipeBatch[]): Promise<Judged[]> {
  const { deltas, keptGroups } = resources;
  const judged = await each(resources, ripe, async (of) => {
    const done = await deltas.readDone(table, of.batchId);
    return done && !keptGroups.has(done.groupId ?? '') ? [{ ripe: of, done }] : [];
  });
  return judged.flat();
}

/** Writes what no roll of the day has yet. Returns those that one has by now: of these all else may go. */
async function enroll(resources: StreamedResources, table: string, day: string, judged: Judged[]): Promise<Judged[]> {
  const { deltas } = resources;
  const rolls = await each(resources, await deltas.listRolls(table, day), (roll) => deltas.readRoll(roll));
  const rolled = new Set(rolls.flat().map(({ done }) => done.batchId));
  const missing = judged.filter(({ ripe }) => !rolled.has(ripe.batchId));
  const read = await each(resources, missing, async ({ ripe, done }): Promise<RolledBatch[]> => {
    const manifest = await deltas.readManifest(table, ripe.batchId);
    if (!manifest) return [];
    const { files: _gone, ...rest } = manifest;
    return [{ at: ripe.at, manifest: rest, done }];
  });
  const batches = read.flat().sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  if (batches.length) await deltas.writeRoll(table, day, batches);
  for (const { done } of batches) rolled.add(done.batchId);
  return judged.filter(({ ripe }) => rolled.has(ripe.batchId));
}

/** Lists of groups none of whose batches stays. */
async function sweepGroups(resources: StreamedResources, table: string, going: Judged[]): Promise<number> {
  const { deltas } = resources;
  const ids = new Set(going.map(({ ripe }) => ripe.batchId));
  const stays = async (batchId: string): Promise<boolean> =>
    !ids.has(batchId) && (await deltas.readManifest(table, batchId)) !== undefined;
  const swept = await each(resources, new Set(going.flatMap(({ done }) => done.groupId ?? [])), async (groupId) => {
    const group = await deltas.readGroup(table, groupId);
    if (!group) return 0;
    for (const batchId of group.batchIds) if (await stays(batchId)) return 0;
    await deltas.deleteGroup(table, groupId);
    return 1;
  });
  return swept.reduce<number>((sum, one) => sum + one, 0);
}

async function sweepDay(
  resources: StreamedResources,
  table: string,
  day: string,
  ripe: RipeBatch[],
): Promise<SweptStreamed> {
  const { store } = resources;
  const going = await enroll(resources, table, day, await judge(resources, table, ripe));
  const groups = await sweepGroups(resources, table, going);
  const remove = (object: Listed | undefined) => object && store.delete(object.uri, object.generation);
  await each(resources, going, async ({ ripe: { manifest } }) => remove(manifest));
  await each(resources, going, async ({ ripe: { done } }) => remove(done));
  return { streamed: going.length, groups };
}

/**
 * Deletes manifests and outcomes of streamed batches, and the lists of their groups, after what they tell was kept in the rolls of
 * their days. Safe to repeat after any crash, and beside another that does the same.
 *
 * @param ripe streamed batches without delta files that nobody follows
 * @throws CupelError CUP_OBJECT_NOT_FOUND when a roll was removed by hand meanwhile
 */
export async function sweepStreamed(
  resources: StreamedResources,
  table: string,
  ripe: readonly RipeBatch[],
): Promise<SweptStreamed> {
  const swept = { streamed: 0, groups: 0 };
  const days = Map.groupBy(ripe, ({ at }) => new Date(at).toISOString().slice(0, 10));
  for (const [day, batches] of [...days].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { streamed, groups } = await sweepDay(resources, table, day, batches);
    swept.streamed += streamed;
    swept.groups += groups;
  }
  return swept;
}
