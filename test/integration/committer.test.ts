import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  commitWaiting,
  compact,
  digestTable,
  exportTable,
  expireSnapshots,
  sweepOrphans,
} from '../../src/lakehouse/committer/index.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';

let lake: Lake;
const base = earthquakes();
/** A table of its own per test. */
const contractOf = (table: string) => ({ ...base, sink: { ...base.sink, table } });

beforeAll(async () => {
  lake = await startLake();
});
afterAll(() => lake.stop());

async function exported(table: string, asOf?: { snapshotId: string }): Promise<Record<string, unknown>[]> {
  let text = '';
  for await (const part of exportTable(lake, contractOf(table), asOf)) text += part;
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const load = async (table: string) =>
  (await IcebergTable.load(lake.catalog, lake.store, 'silver', table)) as IcebergTable;

async function commit(table: string, rows: ReturnType<typeof quake>[]) {
  const contract = contractOf(table);
  const manifest = await publishBatch(lake.store, lake.deltas, contract, rows);
  const [done] = await commitWaiting(lake, contract, [manifest.batchId]);
  return { manifest, done };
}

test('new keys, a newer version, an older one and a repeat end in the maximum, and the first version falls', async () => {
  const first = await commit('law', [quake(base, 'a', 10), quake(base, 'b', 20)]);
  expect(first.done).toMatchObject({ outcome: 'committed', rows: 2 });
  const newer = await commit('law', [quake(base, 'a', 11, { magnitude: -0.5 })]);
  expect(newer.done?.outcome).toBe('committed');
  const older = await commit('law', [quake(base, 'b', 15, { magnitude: 9 })]);
  expect(older.done?.outcome).toBe('committed');
  const repeat = await commit('law', [quake(base, 'a', 11, { magnitude: -0.5 }), quake(base, 'b', 20)]);
  expect(repeat.done).toMatchObject({ outcome: 'unchanged', snapshotId: null });
  const rows = await exported('law');
  expect(rows.map((row) => [row.event_id, row.magnitude, row.updated_at, row._first_version])).toEqual([
    ['a', -0.5, '1970-01-01T00:00:00.011000Z', '1970-01-01T00:00:00.010000Z'],
    ['b', 1.5, '1970-01-01T00:00:00.020000Z', '1970-01-01T00:00:00.015000Z'],
  ]);
  expect((await load('law')).snapshots).toHaveLength(3);
});

test('only files that hold a changed row are rewritten', async () => {
  const keys = Array.from({ length: 64 }, (_, index) => quake(base, `k${index}`, 10));
  await commit('cow', keys);
  const before = new Set((await (await load('cow')).dataFiles()).map((file) => file.file_path));
  expect(before.size).toBe(16);
  await commit('cow', [quake(base, 'k3', 11)]);
  const after = (await (await load('cow')).dataFiles()).map((file) => file.file_path);
  expect(after).toHaveLength(16);
  expect(after.filter((path) => before.has(path))).toHaveLength(15);
});

test('small files of a bucket that hold changed rows are rewritten as one, together with the new keys of the bucket', async () => {
  const quakes = (prefix: string, updated: number) =>
    Array.from({ length: 64 }, (_, index) => quake(base, `${prefix}${index}`, updated));
  await commit('joined', quakes('a', 10));
  await commit('joined', quakes('b', 10));
  expect(await (await load('joined')).dataFiles()).toHaveLength(32);
  await commit('joined', [...quakes('a', 11), ...quakes('b', 11), ...quakes('c', 10)]);
  expect(await (await load('joined')).dataFiles()).toHaveLength(16);
  const rows = await exported('joined');
  expect(rows.map(({ event_id }) => event_id)).toEqual(
    ['a', 'b', 'c'].flatMap((prefix) => quakes(prefix, 10).map(({ event_id }) => event_id)).sort(),
  );
  const versions = rows.map((row) => [row.updated_at, row._first_version].map((time) => String(time).slice(-8)));
  expect(new Set(versions.map((pair) => pair.join()))).toEqual(new Set(['.011000Z,.010000Z', '.010000Z,.010000Z']));
});

test('a settled batch is answered from its outcome; one whose outcome was lost is found in the snapshots', async () => {
  const contract = contractOf('lost');
  const { manifest, done } = await commit('lost', [quake(base, 'a', 10)]);
  expect(await commitWaiting(lake, contract, [manifest.batchId])).toEqual([done]);
  await lake.store.delete(`gs://cupel-ops/_deltas/silver.lost/${manifest.batchId}.done.json`);
  const [again] = await commitWaiting(lake, contract, [manifest.batchId]);
  expect(again).toEqual(done);
  expect((await load('lost')).snapshots).toHaveLength(1);
});

test('several batches are one snapshot', async () => {
  const contract = contractOf('group');
  const batches = [];
  for (const id of ['a', 'b', 'c'])
    batches.push(await publishBatch(lake.store, lake.deltas, contract, [quake(base, id, 10)]));
  const done = await commitWaiting(
    lake,
    contract,
    batches.map((manifest) => manifest.batchId),
  );
  expect(new Set(done.map((one) => one.snapshotId)).size).toBe(1);
  expect(await exported('group')).toHaveLength(3);
});

test('a row in the wrong bucket is refused, and nothing is committed', async () => {
  const contract = contractOf('wrong');
  const manifest = await publishBatch(lake.store, lake.deltas, contract, [quake(base, 'a', 10)]);
  const moved = {
    ...manifest,
    batchId: 'f'.repeat(64),
    files: manifest.files.map((file) => ({ ...file, bucket: (file.bucket + 1) % 16 })),
  };
  await lake.deltas.writeManifest(moved);
  await expect(commitWaiting(lake, contract, [moved.batchId])).rejects.toMatchObject({ code: 'CUP_DELTA_INVALID' });
  expect((await load('wrong')).snapshots).toHaveLength(0);
});

test('time travel shows the table as it was', async () => {
  const first = await commit('travel', [quake(base, 'a', 10)]);
  await commit('travel', [quake(base, 'a', 11), quake(base, 'b', 10)]);
  expect(await exported('travel', { snapshotId: first.done?.snapshotId ?? '' })).toHaveLength(1);
  expect(await exported('travel')).toHaveLength(2);
  await expect(exported('travel', { snapshotId: '1' })).rejects.toMatchObject({ code: 'CUP_SNAPSHOT_NOT_FOUND' });
});

test('compaction makes few files of many and changes no row; expiry and the orphan sweep leave what is needed', async () => {
  const contract = contractOf('small');
  for (let version = 0; version < 4; version += 1) {
    await commit(
      'small',
      Array.from({ length: 32 }, (_, index) => quake(base, `v${version}-${index}`, 10)),
    );
  }
  const before = await digestTable(lake, contract);
  expect(await compact(lake, contract, { minFiles: 2 })).toBeGreaterThan(0);
  expect(await digestTable(lake, contract)).toEqual(before);
  const table = await load('small');
  expect(await table.dataFiles()).toHaveLength(16);
  expect(await expireSnapshots(table, Date.now() + 3 * 3_600_000)).toBe(4);
  expect(table.snapshots).toHaveLength(1);
  expect(await sweepOrphans(table, lake.store, Date.now(), 0)).toBeGreaterThan(0);
  expect(await digestTable(lake, contract)).toEqual(before);
});

test('a table with other columns is refused', async () => {
  await commit('columns', [quake(base, 'a', 10)]);
  const contract = contractOf('columns');
  const fields = contract.icebergSchema.fields.map((field) =>
    field.name === 'place' ? { ...field, name: 'region' } : field,
  );
  const changed = { ...contract, icebergSchema: { ...contract.icebergSchema, fields } };
  const manifest = await publishBatch(lake.store, lake.deltas, contract, [quake(base, 'b', 10)]);
  await expect(commitWaiting(lake, changed, [manifest.batchId])).rejects.toMatchObject({ code: 'CUP_TABLE_SCHEMA' });
});
