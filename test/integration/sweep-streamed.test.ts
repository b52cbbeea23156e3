import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ActivityResources } from '../../src/activities/index.ts';
import { silverActivities } from '../../src/activities/silver.ts';
import { upkeepActivities } from '../../src/activities/upkeep.ts';
import type { OpsUpkeep } from '../../src/activities/upkeep.ts';
import { tableName } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import { explain, readKey } from '../../src/lakehouse/explain/index.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import { batchEvents } from '../../src/lakehouse/ledger/index.ts';
import { StreamFollower, StreamLog } from '../../src/lakehouse/streams/index.ts';
import type { FollowState } from '../../src/lakehouse/streams/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { memoryLedger } from '../support/memory-ledger.ts';
import { publishBatch, quake } from '../support/rows.ts';
import { streamEntries } from '../support/stream-job.ts';
import { StreamLab } from '../support/stream-lab.ts';
import { spanAt } from '../support/streamed-batches.ts';
import { landPoll, RECORDS, twoTables } from '../support/streamed-polls.ts';
import { lawRows } from '../support/table-rows.ts';

const DAY = 24 * 3_600_000;
const WITHIN = { timeout: 90_000, interval: 50 };

let lab: StreamLab;

beforeAll(async () => {
  lab = await StreamLab.open();
});
beforeEach(() => lab.newTopic());
afterEach(() => lab.user.cleanUp());
afterAll(() => lab.close());

/** Upkeep of a contract's table in so many days: of the table as the committer does it, then of the ops bucket. */
async function upkeepIn(days: number, contractUri: string, expire: boolean): Promise<OpsUpkeep> {
  const environment = readEnvironment({ CUPEL_PROJECT: 'cupel' });
  const now = Date.now() + days * DAY;
  const resources = { ...lab.lake, environment, now: () => now } as unknown as ActivityResources;
  const { maintainTable } = silverActivities(resources);
  const { sweepOps } = upkeepActivities(resources);
  await new MockActivityEnvironment().run(maintainTable, { contractUri, sweep: true, expire });
  return new MockActivityEnvironment().run(sweepOps, { contractUri }) as Promise<OpsUpkeep>;
}

/** Names below the table's folder in the ops bucket, without those of files. */
async function records(contract: CompiledContract): Promise<string[]> {
  const prefix = `gs://cupel-ops/_deltas/${tableName(contract)}/`;
  const names: string[] = [];
  for await (const { uri } of lab.lake.store.list(prefix)) names.push(uri.slice(prefix.length));
  return names;
}

const snapshotsOf = async ({ sink }: CompiledContract): Promise<number> =>
  (await IcebergTable.load(lab.lake.catalog, lab.lake.store, sink.namespace, sink.table))?.snapshots.length ?? 0;

test('messages of a swept batch that come again change no row, and their batch can be settled and swept again', async () => {
  const base = earthquakes();
  const contract = { ...base, sink: { ...base.sink, table: 'swept' }, hash: 'swept' };
  const contractUri = await publishContract(lab.lake.store, 'cupel-ops', contract);
  const publish = (ids: string[], version: number, streamed = true) =>
    publishBatch(
      lab.lake.store,
      lab.lake.deltas,
      contract,
      ids.map((id) => quake(contract, id, version)),
      streamed ? { stream: spanAt(Date.now()) } : {},
    );
  const commit = async ({ batchId }: { batchId: string }) =>
    (await commitWaiting(lab.lake, contract, [batchId]))[0] ?? undefined;
  const first = await publish(['a', 'b', 'c'], 10);
  const before = await commit(first);
  await commit(await publish(['a', 'd'], 11)); // of `a` the first batch has lost
  const last = await publish(['e'], 12, false);
  await commit(last);
  const rows = await lawRows(lab.lake, contract);

  // Their deltas are gone, and the committer still knows how they ended.
  expect(await upkeepIn(4, contractUri, false)).toMatchObject({ streamed: 0, deltas: 5 });
  expect(await commit(first)).toEqual(before);

  // Batches of snapshots that are kept can be asked for.
  expect(await upkeepIn(47, contractUri, false)).toMatchObject({ streamed: 0, groups: 0 });
  expect(await upkeepIn(47, contractUri, true)).toMatchObject({ streamed: 2, groups: 2 });
  const left = await records(contract);
  expect(left.filter((name) => !name.startsWith(last.batchId))).toEqual([
    expect.stringMatching(/^groups\//),
    expect.stringMatching(/^streamed\/.*\.ndjson\.gz$/),
  ]);
  expect(left.filter((name) => name.startsWith(last.batchId))).toHaveLength(3);

  const snapshots = await snapshotsOf(contract);
  const again = await publish(['a', 'b', 'c'], 10);
  expect(again.batchId).toBe(first.batchId);
  expect(await commit(again)).toMatchObject({ outcome: 'unchanged', snapshotId: null });
  expect(await lawRows(lab.lake, contract)).toEqual(rows);
  expect(await snapshotsOf(contract)).toBe(snapshots);
  expect(await upkeepIn(47, contractUri, true)).toMatchObject({ streamed: 1, deltas: 3 });
  expect(await lawRows(lab.lake, contract)).toEqual(rows);
}, 120_000);

test('explained after the sweep: what Silver shows is committed, and of the rest it is said that its batch may be gone', async () => {
  const { streamed: contract } = twoTables('swept_quakes');
  const contractUri = await publishContract(lab.lake.store, 'cupel-ops', contract);
  const polls = await Promise.all([0, 1, 2].map((poll) => landPoll(lab.lake.store, contract, poll)));
  const job = lab.start(contract);
  await lab.publish(contract, polls);
  await expect.poll(() => job.metric('messages'), WITHIN).toBe(polls.length * RECORDS);
  job.child.kill('SIGTERM');
  expect(await job.ended).toBe(0);
  const entries = await streamEntries(lab.lake, contract);

  const ledger = memoryLedger();
  const following = {
    log: new StreamLog(lab.lake.store, 'cupel-ops', contract.source),
    deltas: lab.lake.deltas,
    submit: async (batches: { batchId: string }[]) => {
      const batchIds = batches.map(({ batchId }) => batchId);
      await commitWaiting(lab.lake, contract, batchIds);
    },
    record: async (batches: { batchId: string }[]) => {
      for (const { batchId } of batches)
        await ledger.append(await batchEvents(lab.lake.deltas, contract.source, tableName(contract), batchId));
    },
    now: () => Date.now(),
  };
  const follow = async (state: FollowState): Promise<FollowState> => {
    const follower = new StreamFollower(following, state, 0);
    await follower.begin();
    await follower.round(true);
    return follower.state;
  };
  const state = await follow({ next: 1, open: [], settled: [] });
  const explained = async () => {
    const buckets = { bronzeBucket: 'cupel-bronze', quarantineBucket: 'cupel-quarantine', opsBucket: 'cupel-ops' };
    const resources = { ...lab.lake, ...buckets, ledger, progress: () => undefined };
    return (await explain(resources, contract, readKey(contract, 'ev7'))).rows[0]!;
  };
  const before = await explained();
  expect(before.verdict.state).toBe('agrees');

  // The stream still knows of its batches; a snapshot of another writer lets theirs expire.
  expect(await upkeepIn(47, contractUri, true)).toMatchObject({ streamed: 0 });
  await follow(state);
  const { batchId } = await publishBatch(lab.lake.store, lab.lake.deltas, contract, [quake(contract, 'other', 1)]);
  await commitWaiting(lab.lake, contract, [batchId]);
  expect(await upkeepIn(47, contractUri, true)).toMatchObject({ streamed: entries.length });
  expect((await records(contract)).length).toBe(3 + 2); // of the other batch, its group, and the roll

  const after = await explained();
  const day = new Date().toISOString().slice(0, 10);
  expect(after.verdict).toEqual(before.verdict);
  expect(after.records.map(({ object, offset, why }) => [object, offset, why])).toEqual(
    before.records.map(({ object, offset, why }) => [object, offset, why]),
  );
  const processing = (of: typeof after) => of.records.map((record) => record.processing);
  expect(processing(after)[0]).toEqual({ state: 'committed' });
  expect(processing(before).slice(1).length).toBeGreaterThan(0);
  for (const of of processing(before).slice(1)) expect(of).toEqual({ state: 'landed', streamed: true });
  for (const of of processing(after).slice(1))
    expect(of).toEqual({ state: 'landed', streamed: true, sweptThrough: expect.stringMatching(day) as string });
}, 180_000);
