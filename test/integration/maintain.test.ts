import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ActivityResources } from '../../src/activities/index.ts';
import { silverActivities } from '../../src/activities/silver.ts';
import type { Upkeep } from '../../src/activities/silver.ts';
import { upkeepActivities } from '../../src/activities/upkeep.ts';
import type { CompiledContract, MaintenancePolicy } from '../../src/contracts/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { commitWaiting, digestTable } from '../../src/lakehouse/committer/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';

const DAY = 24 * 3_600_000;

let lake: Lake;
const base = earthquakes();

beforeAll(async () => {
  lake = await startLake();
});
afterAll(() => lake.stop());

/** A contract of its own table, and one name for it in storage. */
async function contractOf(table: string, maintenance?: MaintenancePolicy) {
  const contract: CompiledContract = {
    ...base,
    sink: { ...base.sink, table },
    hash: table,
    ...(maintenance ? { maintenance } : {}),
  };
  return { contract, contractUri: await publishContract(lake.store, 'cupel-ops', contract) };
}

function activitiesAt(now: number) {
  const environment = readEnvironment({ CUPEL_PROJECT: 'cupel' });
  const resources = { ...lake, environment, now: () => now } as unknown as ActivityResources;
  return { ...silverActivities(resources), ...upkeepActivities(resources) };
}

const load = async (table: string) =>
  (await IcebergTable.load(lake.catalog, lake.store, 'silver', table)) as IcebergTable;

/** Three commits of new keys that fall into one bucket. */
async function fill(contract: CompiledContract): Promise<void> {
  const key = quake(base, 'a', 10);
  for (const version of [10, 11, 12]) {
    const manifest = await publishBatch(lake.store, lake.deltas, contract, [
      quake(base, `n${version}`, version),
      ...(version === 10 ? [key] : []),
    ]);
    await commitWaiting(lake, contract, [manifest.batchId]);
  }
}

test('without limits in the contract, upkeep after a commit does what it always did', async () => {
  const { contract, contractUri } = await contractOf('plain');
  await fill(contract);
  const { maintainTable } = activitiesAt(Date.now());
  const done = await new MockActivityEnvironment().run(maintainTable, { contractUri, sweep: false });
  expect(done).toEqual({ compactedFiles: 0, expiredSnapshots: 0, orphans: 0 });
});

test('the whole upkeep keeps the rows, and keeps what the contract says', async () => {
  const policy = { snapshots: { allHours: 1, hourlyDays: 1, dailyDays: 1 }, orphanAgeDays: 5 };
  const { contract, contractUri } = await contractOf('limits', policy);
  await fill(contract);
  const before = await digestTable(lake, contract);
  const later = activitiesAt(Date.now() + 4 * DAY);
  const input = { contractUri, sweep: true, expire: true };
  const done = await new MockActivityEnvironment().run(later.maintainTable, input);
  expect(done).toEqual({ compactedFiles: 0, expiredSnapshots: 2, orphans: 0 }); // four days: younger than five
  expect((await load('limits')).snapshots).toHaveLength(1);

  const lost = `gs://cupel-ops/_deltas/silver.limits/${'d'.repeat(64)}/lost.parquet`;
  await lake.store.create(lost, 'x');
  expect(await new MockActivityEnvironment().run(later.sweepOps, { contractUri })).toMatchObject({ deltas: 0 });
  const old = activitiesAt(Date.now() + 6 * DAY);
  const swept = (await new MockActivityEnvironment().run(old.maintainTable, input)) as Upkeep;
  expect(swept.orphans).toBeGreaterThan(0); // manifests and lists of the snapshots that went
  expect(await new MockActivityEnvironment().run(old.sweepOps, { contractUri })).toMatchObject({ deltas: 1 });
  expect(await lake.store.readIfExists(lost)).toBeUndefined();
  expect(await digestTable(lake, contract)).toEqual(before);
  // Batches can still be settled again from what is left.
  expect((await lake.deltas.listSettled('silver.limits')).length).toBe(3);
});

test('a bucket with as many small files as the contract says is compacted', async () => {
  const { contract, contractUri } = await contractOf('small', { compactAtFiles: 2 });
  for (const turn of ['a', 'b']) {
    const rows = Array.from({ length: 40 }, (_, index) => quake(base, `${turn}${index}`, 10));
    const manifest = await publishBatch(lake.store, lake.deltas, contract, rows);
    await commitWaiting(lake, contract, [manifest.batchId]);
  }
  const before = await digestTable(lake, contract);
  const files = (await (await load('small')).dataFiles()).length;
  const { maintainTable } = activitiesAt(Date.now());
  const context = new MockActivityEnvironment();
  const { compactedFiles } = (await context.run(maintainTable, { contractUri, sweep: false })) as Upkeep;
  expect(compactedFiles).toBeGreaterThan(0); // two commits of new keys: two files in most of the 16 buckets
  expect((await (await load('small')).dataFiles()).length).toBe(files - compactedFiles);
  expect(await digestTable(lake, contract)).toEqual(before);
});
