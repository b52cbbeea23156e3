import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { listBronze } from '../../src/lakehouse/bronze/index.ts';
import { commitWaiting, REBUILD_PROPERTY } from '../../src/lakehouse/committer/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import { toChunk } from '../../src/lakehouse/planning/chunks.ts';
import { readPublication } from '../../src/lakehouse/published-contract.ts';
import { rebuildId } from '../../src/workflows/ids.ts';
import type { RebuildResult } from '../../src/workflows/rebuild.ts';
import { contractOf } from '../support/contracts.ts';
import { runKappaJob } from '../support/kappa-job.ts';
import type { Lake } from '../support/lake.ts';
import { startLakeWorkflows } from '../support/lake-workflows.ts';
import type { LakeWorkflows } from '../support/lake-workflows.ts';
import { tableRows } from '../support/table-rows.ts';
import { exportText, readWithDuckDb, readWithPyIceberg } from '../support/silver-readers.ts';

let lakehouse: LakeWorkflows;
let lake: Lake;

beforeAll(async () => {
  lakehouse = await startLakeWorkflows();
  ({ lake } = lakehouse);
});
beforeEach(() => {
  lakehouse.hooks.beforeRebuild = () => Promise.resolve();
});
afterAll(() => lakehouse.stop());

const DAY = { from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' };

const quake = (id: string, updated: number) => ({
  type: 'Feature',
  id,
  properties: { mag: 1.5, time: 1_700_000_000_000, updated, sig: 7, title: `Quake ${id}`, tsunami: 0 },
  geometry: { type: 'Point', coordinates: [1, 2, -0.5] },
});

const lenient = (yaml: string): string => yaml.replace('maxShare: 0.01', 'maxShare: 1');

/** Other buckets, another type, a column less and one more. */
const remade = (yaml: string): string =>
  lenient(yaml)
    .replace('bucketCount: 16', 'bucketCount: 4')
    .replace('name: significance, logicalType: integer', 'name: significance, logicalType: number')
    .replace('      - { name: title, logicalType: string }\n', '      - { name: headline, logicalType: string }\n')
    .replace('title: { from', 'headline: { from');

const where = () => ({ store: lake.store, opsBucket: 'cupel-ops' });
let runs = 0;
const pipeline = () => lakehouse.run('pipeline', { source: 'earthquakes', ...DAY }, `pipeline/${(runs += 1)}`);
const rebuild = (source = 'earthquakes') =>
  lakehouse.run<RebuildResult>('rebuild', { source, by: 'somebody' }, rebuildId(source));

async function loadTable(): Promise<IcebergTable> {
  const table = await IcebergTable.load(lake.catalog, lake.store, 'silver', 'earthquakes');
  if (!table) throw new Error('expected the table');
  return table;
}

/** A batch of everything under a contract, published and not committed. */
async function batchOf(contract: CompiledContract): Promise<string> {
  await publishContract(lake.store, 'cupel-ops', contract);
  const range = { from: new Date(DAY.from), to: new Date(DAY.to) };
  const chunk = toChunk(contract, await listBronze(lake.store, 'cupel-bronze', contract, range), undefined, 'test');
  expect((await runKappaJob(lake, chunk)).code).toBe(0);
  return chunk.batchId;
}

test('a breaking contract is refused by runs, and one that lost a partition of Bronze is not put into force', async () => {
  const first = await lakehouse.declare('earthquakes', lenient);
  await lakehouse.landPoll('2025-01-01T03', 1_700_000_100_000, [quake('a', 10), quake('b', 10)]);
  await lakehouse.landPoll('2025-01-01T05', 1_700_000_200_000, [quake('a', 20), quake('c', 5)]);
  await pipeline();
  const before = await exportText(lake, first);

  await lakehouse.declare('earthquakes', remade);
  await expect(pipeline()).rejects.toMatchObject({
    cause: { cause: { type: 'CUP_CONTRACT_BREAKING', message: expect.stringContaining('sink.bucketCount') as string } },
  });

  await lakehouse.declare('earthquakes', (yaml) => remade(yaml).replace('maxShare: 1', 'maxShare: 0'));
  await lakehouse.landPoll('2025-01-01T06', 1_700_000_250_000, ['no object']);
  await expect(rebuild()).rejects.toMatchObject({ cause: { type: 'CUP_REBUILD_INCOMPLETE' } });
  expect(await readPublication(where(), 'earthquakes')).toMatchObject({ hash: first.hash, lineage: [first.hash] });
  expect(await readPublication(where(), 'earthquakes')).not.toHaveProperty('rebuild');
  expect(await exportText(lake, first)).toBe(before);
});

test('the table gets other columns, types and buckets in one snapshot; what came meanwhile is in it, and time travel is as before', async () => {
  const first = contractOf('earthquakes', lenient);
  const before = await exportText(lake, first);
  const old = await loadTable();
  const superseded = await batchOf(first);

  const second = await lakehouse.declare('earthquakes', remade);
  lakehouse.hooks.beforeRebuild = async () => {
    expect(await readPublication(where(), 'earthquakes')).toMatchObject({
      hash: first.hash,
      rebuild: { hash: second.hash },
    });
    await lakehouse.landPoll('2025-01-01T09', 1_700_000_300_000, [quake('b', 30), quake('d', 1)]);
  };
  const result = await rebuild();
  expect(result).toMatchObject({
    table: 'silver.earthquakes',
    contractHash: second.hash,
    range: { from: '2025-01-01T03:00:00.000Z', to: '2025-01-01T07:00:00.000Z' },
    meanwhile: { committed: 1 },
  });
  expect(await readPublication(where(), 'earthquakes')).toMatchObject({ hash: second.hash, lineage: [second.hash] });

  // The same, in every column, as a table that never had another contract.
  const fresh = contractOf('earthquakes', (yaml) => remade(yaml).replace('table: earthquakes,', 'table: fresh,'));
  await commitWaiting(lake, fresh, [await batchOf(fresh)]);
  const rows = await tableRows(lake, second);
  expect(rows).toHaveLength(4);
  expect(rows).toEqual(await tableRows(lake, fresh));

  // Every engine reads the same, now and before; nothing of the old files is live.
  const now = await exportText(lake, second);
  expect(await readWithPyIceberg(lake, 'earthquakes')).toBe(now);
  expect(await readWithDuckDb(lake, 'earthquakes')).toBe(now);
  const snapshotId = String(old.current?.['snapshot-id']);
  expect(await exportText(lake, first, { snapshotId })).toBe(before);
  expect(await readWithPyIceberg(lake, 'earthquakes', snapshotId)).toBe(before);
  const table = await loadTable();
  const oldFiles = new Set((await old.dataFiles()).map((file) => file.file_path));
  expect((await table.dataFiles()).filter((file) => oldFiles.has(file.file_path))).toEqual([]);
  expect(table.snapshots.filter(({ summary }) => summary[REBUILD_PROPERTY])).toHaveLength(1);

  // A column keeps its id; what changed its type is another column.
  const idOf = (of: IcebergTable, name: string) => of.schema.fields.find((field) => field.name === name)?.id;
  expect(idOf(table, 'magnitude')).toBe(idOf(old, 'magnitude'));
  expect(idOf(table, 'significance')).toBeGreaterThan(old.metadata['last-column-id']);
  expect(table.spec.fields).toMatchObject([{ transform: 'bucket[4]' }]);

  // A batch from before would bring the old rules back.
  const lineageOf = async (source: string) => (await readPublication(where(), source))?.lineage;
  await expect(commitWaiting({ ...lake, lineageOf }, second, [superseded])).rejects.toMatchObject({
    code: 'CUP_CONTRACT_SUPERSEDED',
  });
});

test('repeated, a rebuild ends in the same rows, and runs go on', async () => {
  const contract = contractOf('earthquakes', remade);
  const before = await exportText(lake, contract);
  await rebuild();
  expect(await exportText(lake, contract)).toBe(before);
  await lakehouse.landPoll('2025-01-01T10', 1_700_000_400_000, [quake('e', 1)]);
  await pipeline();
  expect((await exportText(lake, contract)).split('\n')).toHaveLength(6);
  const states = await lakehouse.ledger.latest('earthquakes', ['rebuild']);
  expect(states).toMatchObject([{ subject: 'silver.earthquakes', state: 'done', detail: { by: 'somebody' } }]);
});
