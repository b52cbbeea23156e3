import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  commitWaiting,
  compact,
  createAuditTable,
  digestTable,
  dropAuditTable,
  listAudits,
  exportTable,
  expireSnapshots,
  mergeIntoAudit,
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
const auditOf = (table: string, id: string) => contractOf(`${table}__audit_${id}`);

beforeAll(async () => {
  lake = await startLake();
});
afterAll(() => lake.stop());

const load = async (table: string) =>
  (await IcebergTable.load(lake.catalog, lake.store, 'silver', table)) as IcebergTable;

async function keys(table: string): Promise<string[]> {
  let text = '';
  for await (const part of exportTable(lake, contractOf(table))) text += part;
  const rows = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { event_id: string; magnitude: number });
  return rows.map((row) => `${row.event_id} ${row.magnitude}`);
}

async function publish(table: string, rows: ReturnType<typeof quake>[]): Promise<string> {
  return (await publishBatch(lake.store, lake.deltas, contractOf(table), rows)).batchId;
}

async function commit(table: string, rows: ReturnType<typeof quake>[]): Promise<void> {
  await commitWaiting(lake, contractOf(table), [await publish(table, rows)]);
}

async function filesBelow(prefix: string): Promise<string[]> {
  const uris: string[] = [];
  for await (const { uri } of lake.store.list(prefix)) uris.push(uri);
  return uris.toSorted();
}

const state = async (table: string) => {
  const { current, snapshots } = await load(table);
  return { current: current?.['snapshot-id'], snapshots: snapshots.length };
};

test('an audit table has the rows of the table and the new ones; the table stays as it is', async () => {
  const contract = contractOf('main');
  await commit('main', [quake(base, 'a', 10), quake(base, 'b', 10)]);
  const before = await state('main');
  const run = { workflowId: 'backfill/main/a b', runId: 'r-1' };
  const audit = await createAuditTable(lake, contract, 'x1', run);
  expect(await listAudits(lake, contract)).toEqual([{ auditId: 'x1', run }]);
  expect(audit).toEqual({ table: 'silver.main__audit_x1', of: 'silver.main', snapshotId: String(before.current) });
  const table = await load('main__audit_x1');
  expect(table.metadata.properties).toMatchObject({
    'cupel.audit-of': 'silver.main',
    'cupel.audit-snapshot-id': String(before.current),
    'gc.enabled': 'false',
  });
  const paths = async (of: IcebergTable) => (await of.dataFiles()).map((file) => file.file_path).toSorted();
  expect(await paths(table)).toEqual(await paths(await load('main')));
  expect(await createAuditTable(lake, contract, 'x1')).toEqual(audit);
  expect(table.snapshots).toHaveLength(1);
  const batches = [
    await publish('main', [quake(base, 'b', 11, { magnitude: 7 })]),
    await publish('main', [quake(base, 'c', 10)]),
  ];
  const merged = await mergeIntoAudit(lake, contract, 'x1', batches);
  expect(merged).toMatchObject({ inserted: 1, updated: 1, rowsChanged: 2 });
  expect(await keys('main__audit_x1')).toEqual(['a 1.5', 'b 7', 'c 1.5']);
  expect(await keys('main')).toEqual(['a 1.5', 'b 1.5']);
  expect(await state('main')).toEqual(before);
  for (const batchId of batches) expect(await lake.deltas.readDone('silver.main', batchId)).toBeUndefined();
  const written = (await paths(await load('main__audit_x1'))).filter((path) => path.includes('__audit_'));
  expect(written).toHaveLength(2);
  const later = await createAuditTable(lake, contract, 'x1');
  expect(later).toEqual(audit);
  await commitWaiting(lake, contract, batches);
  expect(await digestTable(lake, contract)).toEqual(await digestTable(lake, auditOf('main', 'x1')));
});

test('merging twice, in whatever groups, is merging once', async () => {
  const contract = contractOf('twice');
  await commit('twice', [quake(base, 'a', 10)]);
  await createAuditTable(lake, contract, 'x1');
  const batches = [await publish('twice', [quake(base, 'a', 11)]), await publish('twice', [quake(base, 'b', 10)])];
  const first = await mergeIntoAudit(lake, contract, 'x1', batches);
  const audit = await state('twice__audit_x1');
  expect(await mergeIntoAudit(lake, contract, 'x1', batches)).toEqual(first);
  for (const batchId of batches)
    expect(await mergeIntoAudit(lake, contract, 'x1', [batchId])).toMatchObject({ snapshotId: null, rowsChanged: 0 });
  expect(await state('twice__audit_x1')).toEqual(audit);
  expect(audit.snapshots).toBe(2);
});

test('compaction, expiry and the sweep of the table leave what an audit lists', async () => {
  const contract = contractOf('swept');
  for (let version = 0; version < 3; version += 1)
    await commit(
      'swept',
      Array.from({ length: 32 }, (_, index) => quake(base, `v${version}-${index}`, 10)),
    );
  await createAuditTable(lake, contract, 'x1');
  await mergeIntoAudit(lake, contract, 'x1', [
    await publish('swept', [quake(base, 'v0-0', 11), quake(base, 'new', 10)]),
  ]);
  const before = await digestTable(lake, auditOf('swept', 'x1'));
  expect(before.rows).toBe(97);
  expect(await compact(lake, contract, { minFiles: 2 })).toBeGreaterThan(0);
  const table = await load('swept');
  expect(await expireSnapshots(table, Date.now() + 3 * 3_600_000)).toBe(3);
  await sweepOrphans(table, lake.store, Date.now(), 0);
  const listed = [...(await (await load('swept__audit_x1')).referencedFiles())];
  const there = new Set(await filesBelow('gs://cupel-silver/silver/swept'));
  expect(listed.filter((uri) => !there.has(uri))).toEqual([]);
  expect(await digestTable(lake, auditOf('swept', 'x1'))).toEqual(before);
  // What only the audit needed is an orphan once it is gone.
  expect(await dropAuditTable(lake, contract, 'x1')).toBeGreaterThan(0);
  expect(await sweepOrphans(table, lake.store, Date.now(), 0)).toBeGreaterThan(0);
  expect((await digestTable(lake, contract)).rows).toBe(96);
});

test('dropping deletes the files of the audit and no other; it can be repeated after a crash', async () => {
  const contract = contractOf('dropped');
  await commit('dropped', [quake(base, 'a', 10)]);
  const files = await filesBelow('gs://cupel-silver/silver/dropped/');
  const digest = await digestTable(lake, contract);
  for (const id of ['x1', 'x12']) await createAuditTable(lake, contract, id);
  await mergeIntoAudit(lake, contract, 'x1', [await publish('dropped', [quake(base, 'a', 11)])]);
  // The catalog has dropped it, and the files are left.
  expect(await lake.catalog.dropTable('silver', 'dropped__audit_x1')).toBe(true);
  expect(await lake.catalog.dropTable('silver', 'dropped__audit_x1')).toBe(false);
  expect(await dropAuditTable(lake, contract, 'x1')).toBeGreaterThan(0);
  expect(await dropAuditTable(lake, contract, 'x1')).toBe(0);
  expect(await filesBelow('gs://cupel-silver/silver/dropped__audit_x1/')).toEqual([]);
  expect(await filesBelow('gs://cupel-silver/silver/dropped/')).toEqual(files);
  expect(await digestTable(lake, contract)).toEqual(digest);
  expect(await digestTable(lake, auditOf('dropped', 'x12'))).toEqual(digest);
  await expect(mergeIntoAudit(lake, contract, 'x1', [])).rejects.toMatchObject({ code: 'CUP_AUDIT_MISSING' });
});

test('a snapshot that went before its files were listed lets the audit begin anew', async () => {
  const contract = contractOf('gone');
  await commit('gone', [quake(base, 'a', 10)]);
  await commit('gone', [quake(base, 'a', 11)]);
  const main = await load('gone');
  const [first, second] = main.snapshots;
  // A crashed attempt made the table and listed nothing; meanwhile the snapshot expired.
  await lake.catalog.ensureTable('silver', {
    name: 'gone__audit_x1',
    schema: main.schema,
    'partition-spec': main.spec,
    properties: { 'cupel.audit-snapshot-id': String(first?.['snapshot-id']) },
  });
  await main.removeSnapshots([first?.['snapshot-id'] ?? 0]);
  await expect(createAuditTable(lake, contract, 'x1')).rejects.toMatchObject({ code: 'CUP_COMMIT_CONFLICT' });
  expect(await createAuditTable(lake, contract, 'x1')).toMatchObject({ snapshotId: String(second?.['snapshot-id']) });
  expect(await keys('gone__audit_x1')).toEqual(['a 1.5']);
});

test('a table that holds nothing has an audit that begins empty; ids that make no names are refused', async () => {
  const contract = contractOf('empty');
  expect(await createAuditTable(lake, contract, 'x1')).toMatchObject({ snapshotId: null });
  expect(await mergeIntoAudit(lake, contract, 'x1', [await publish('empty', [quake(base, 'a', 10)])])).toMatchObject({
    inserted: 1,
  });
  expect(await keys('empty__audit_x1')).toEqual(['a 1.5']);
  for (const id of ['', 'X', 'a/b', 'a_b', 'a'.repeat(41)])
    await expect(createAuditTable(lake, contract, id)).rejects.toMatchObject({ code: 'CUP_AUDIT_ID' });
});

test('the catalog lists its tables page by page', async () => {
  const all = await lake.catalog.listTables('silver');
  expect(all).toEqual(expect.arrayContaining(['main', 'main__audit_x1', 'empty__audit_x1']));
  expect((await lake.catalog.listTables('silver', 2)).toSorted()).toEqual(all.toSorted());
  expect(await lake.catalog.listTables('nowhere')).toEqual([]);
});
