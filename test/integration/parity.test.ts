import { WorkflowNotFoundError } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createActivities } from '../../src/activities/index.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import type { CompiledContract, Row } from '../../src/contracts/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { decodeLogRows } from '../../src/lakehouse/append-log/merge-object.ts';
import { listLog } from '../../src/lakehouse/append-log/read-log.ts';
import { encodeAvroRows } from '../../src/lakehouse/append-log/avro-rows.ts';
import { bucketOfFile, writeDataFile } from '../../src/lakehouse/committer/data-file.ts';
import { downloadDataFiles } from '../../src/lakehouse/committer/download-data-files.ts';
import { readParquet, Scratch } from '../../src/lakehouse/committer/scratch.ts';
import { contractUri, publishContract } from '../../src/lakehouse/contract-store.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import type { DataFile } from '../../src/lakehouse/iceberg/index.ts';
import { commitShadow, listShadows, openShadow, readReport } from '../../src/lakehouse/parity/index.ts';
import type { Difference } from '../../src/lakehouse/parity/index.ts';
import { parityId } from '../../src/workflows/ids.ts';
import type { ParityInput, ParityResult } from '../../src/workflows/parity-messages.ts';
import { archive } from '../support/archive.ts';
import { BUCKETS } from '../support/kappa-job.ts';
import type { Lake } from '../support/lake.ts';
import { startLakeWorkflows } from '../support/lake-workflows.ts';
import type { LakeWorkflows } from '../support/lake-workflows.ts';
import { publishBatch, quake as quakeRow } from '../support/rows.ts';

let lakehouse: LakeWorkflows;
let lake: Lake;
let contract: CompiledContract;

beforeAll(async () => {
  lakehouse = await startLakeWorkflows();
  ({ lake } = lakehouse);
});
afterAll(() => lakehouse.stop());

const DAY = { from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' };

const quake = (id: string, updated: number) => ({
  type: 'Feature',
  id,
  properties: { mag: 1.5, time: 1_700_000_000_000, updated, sig: 7, title: `Quake ${id}`, tsunami: 0 },
  geometry: { type: 'Point', coordinates: [1, 2, -0.5] },
});

async function urisBelow(...prefixes: string[]): Promise<string[]> {
  const uris: string[] = [];
  for (const prefix of prefixes) for await (const { uri } of lake.store.list(prefix)) uris.push(uri);
  return uris.sort();
}

let runs = 0;
const pipeline = (source: string) => lakehouse.run('pipeline', { source, ...DAY }, `pipeline/${(runs += 1)}`);
const parity = (source: string, input: Partial<ParityInput> = {}) =>
  lakehouse.run<ParityResult>('parity', { source, ...input }, parityId(source));

async function differencesOf({ reportUri }: ParityResult): Promise<Difference[]> {
  return reportUri ? readReport(lake.store, reportUri) : [];
}

/** Nothing of a shadow is left anywhere, and nothing else was touched. */
async function expectNoTrace(of: string, before: string[]): Promise<void> {
  expect(await lake.catalog.listTables('silver')).toEqual(['earthquakes']);
  expect((await urisBelow('gs://cupel-silver/')).filter((uri) => uri.includes('__parity_'))).toEqual([]);
  expect(
    await urisBelow(`gs://cupel-ops/_deltas/${of}__parity_`, 'gs://cupel-ops/contracts/', 'gs://cupel-quarantine/'),
  ).toEqual(before);
}

const kept = () => urisBelow('gs://cupel-ops/contracts/', 'gs://cupel-quarantine/');

const loadTable = async (): Promise<IcebergTable> =>
  (await IcebergTable.load(lake.catalog, lake.store, 'silver', 'earthquakes')) as IcebergTable;

/** Rewrites every data file of Silver by a query over its rows, as a careless engine could. */
async function tamper(select: (rows: string, bucket: number) => string): Promise<void> {
  const table = await loadTable();
  const files = await table.dataFiles();
  const add: DataFile[] = [];
  await Scratch.use(lake.store, async (scratch) => {
    const local = await downloadDataFiles(scratch, table.schema, files);
    for (const [index, file] of files.entries()) {
      const rows = readParquet(table.schema.fields, [local[index] ?? '']);
      const bucket = bucketOfFile(file, 'event_id');
      add.push(await writeDataFile(scratch, table, 'event_id', bucket, select(rows, bucket)));
    }
  });
  const remove = new Set(files.map((file) => file.file_path));
  await table.commit({ operation: 'overwrite', add, remove, summary: {} });
}

const LONG = 600_000;

test(
  'a table that runs made is equal to what Bronze gives, over all of it and over any range; nothing is left behind',
  {
    timeout: LONG,
  },
  async () => {
    contract = await lakehouse.declare('earthquakes', (yaml) => yaml.replace('maxShare: 0.01', 'maxShare: 1'));
    await lakehouse.landPoll('2025-01-01T03', 1_700_000_100_000, [quake('a', 10), quake('b', 10), 'no object']);
    await lakehouse.landPoll('2025-01-01T05', 1_700_000_200_000, [quake('a', 20), quake('c', 5), quake('d', 5)]);
    await pipeline('earthquakes');
    // A record that wins in another hour, and an older version that lowers the first one.
    await lakehouse.landPoll('2025-01-01T07', 1_700_000_300_000, [quake('a', 30), quake('c', 1)]);
    await pipeline('earthquakes');
    const before = await kept();
    expect(before.filter((uri) => uri.startsWith('gs://cupel-quarantine/'))).toHaveLength(1);

    const whole = await parity('earthquakes');
    expect(whole).toMatchObject({
      equal: true,
      keys: 4,
      differences: 0,
      rounds: 1,
      objects: 3,
      failed: [],
      range: null,
    });
    const { current } = await loadTable();
    expect(whole.silverSnapshotId).toBe(String(current?.['snapshot-id']));
    await expectNoTrace('silver.earthquakes', before);

    const part = { from: '2025-01-01T03:00:00Z', to: '2025-01-01T06:00:00Z' };
    expect(await parity('earthquakes', part)).toMatchObject({ equal: true, objects: 2, range: part });
    await expectNoTrace('silver.earthquakes', before);
  },
);

test('what landed, and no run has processed yet, is told as missing and behind', { timeout: LONG }, async () => {
  await lakehouse.landPoll('2025-01-01T08', 1_700_000_400_000, [quake('a', 40), quake('e', 1)]);
  const result = await parity('earthquakes');
  expect(result).toMatchObject({ equal: false, differences: 2, counts: { missing: 1, behind: 1 } });
  const told = Object.fromEntries((await differencesOf(result)).map((difference) => [difference.key, difference]));
  expect(told.e).toMatchObject({ kind: 'missing', silver: null });
  expect(told.e?.shadow?.provenance.bronzeObject).toContain('hr=08');
  expect(told.a?.shadow?.row.updated_at).toBe('1970-01-01T00:00:00.040000Z');
  expect(told.a?.silver?.row.updated_at).toBe('1970-01-01T00:00:00.030000Z');
  // Of the hours before, nothing is missing.
  expect((await parity('earthquakes', { from: DAY.from, to: '2025-01-01T08:00:00Z' })).equal).toBe(true);
  await pipeline('earthquakes');
  expect((await parity('earthquakes')).equal).toBe(true);
});

test(
  'a row that was changed, one that is gone and one that Bronze does not have are told, each with both versions',
  {
    timeout: LONG,
  },
  async () => {
    const groups = (await loadTable()).snapshots.map(({ summary }) => summary['cupel.group-id']);
    expect(groups.every(Boolean)).toBe(true);
    let invented = false;
    await tamper((rows) => {
      const columns = `select * replace (case when event_id = 'b' then 9.9 else magnitude end as magnitude) from ${rows} where event_id <> 'c'`;
      if (invented) return columns;
      invented = true;
      return `${columns} union all (select * replace ('z' as event_id) from ${rows} limit 1)`;
    });
    const result = await parity('earthquakes');
    expect(result).toMatchObject({
      equal: false,
      keys: 6,
      differences: 3,
      rounds: 2,
      counts: { unequal: 1, missing: 1, unknown: 1 },
    });
    const told = Object.fromEntries((await differencesOf(result)).map((difference) => [difference.key, difference]));
    expect(told.b).toMatchObject({
      kind: 'unequal',
      columns: ['magnitude'],
      silver: { row: { magnitude: 9.9, title: 'Quake b' }, writtenBy: { snapshotId: result.silverSnapshotId } },
      shadow: { row: { magnitude: 1.5, title: 'Quake b' }, provenance: { contract: contract.hash } },
    });
    expect(told.c).toMatchObject({
      kind: 'missing',
      silver: null,
      shadow: { row: { _first_version: '1970-01-01T00:00:00.001000Z' } },
    });
    expect(told.z).toMatchObject({ kind: 'unknown', shadow: null, silver: { row: { event_id: 'z' } } });

    // The file that holds the changed row lies in hour 3 by provenance: a range without it does not blame it.
    const later = await parity('earthquakes', { from: '2025-01-01T05:00:00Z', to: '2025-01-01T06:00:00Z' });
    const kinds = (await differencesOf(later)).map(({ key, kind }) => `${key} ${kind}`);
    expect(kinds).toContain('c missing');
    expect(kinds).not.toContain('b unequal');
  },
);

test(
  'what a terminated run left is found and dropped by upkeep, and that of a run that is open is not',
  {
    timeout: LONG,
  },
  async () => {
    await publishContract(lake.store, 'cupel-ops', contract);
    const uri = contractUri('cupel-ops', 'earthquakes', contract.hash);
    const before = await kept();
    const run = { workflowId: 'parity/earthquakes', runId: 'dead-beef' };
    const where = { ...lake, opsBucket: 'cupel-ops' };
    const shadow = await openShadow(where, contract, uri, run);
    expect(await openShadow(where, contract, uri, run)).toEqual(shadow);
    const shadowContract = JSON.parse((await lake.store.read(shadow.contractUri)).toString('utf8')) as CompiledContract;
    expect(shadowContract).toMatchObject({ shadowOf: contract.hash, sink: { table: 'earthquakes__parity_deadbeef' } });
    const { batchId } = await publishBatch(lake.store, lake.deltas, shadowContract, [quakeRow(shadowContract, 'a', 1)]);
    expect(await commitShadow(lake, shadowContract, [batchId])).not.toBeNull();
    expect(await commitShadow(lake, shadowContract, [batchId])).not.toBeNull();
    expect(await listShadows(where, contract)).toEqual([shadow]);

    const environment = readEnvironment({ ...BUCKETS, CUPEL_PROJECT: 'cupel-test' });
    const sweepAs = async (describe: () => Promise<object>) => {
      const temporal = { workflow: { getHandle: () => ({ describe }) } };
      const resources = { ...lake, environment, temporal, now: () => Date.now() } as unknown as ActivityResources;
      return new MockActivityEnvironment().run(createActivities(resources).sweepOps, { contractUri: uri });
    };
    const open = { status: { name: 'RUNNING' }, raw: { workflowExecutionInfo: { firstRunId: 'dead-beef' } } };
    expect(await sweepAs(() => Promise.resolve(open))).toMatchObject({ shadows: 0 });
    const gone = () => Promise.reject(new WorkflowNotFoundError('gone', 'parity/earthquakes', undefined));
    expect(await sweepAs(gone)).toMatchObject({ shadows: 1 });
    expect(await sweepAs(gone)).toMatchObject({ shadows: 0 });
    await expectNoTrace('silver.earthquakes', before);
  },
);

async function editLog(log: CompiledContract, edit: (rows: Row[]) => Row[]): Promise<void> {
  for await (const { uri, generation } of listLog(lake, log)) {
    const rows = edit(await decodeLogRows(log, await lake.store.read(uri)));
    expect(await lake.store.replace(uri, encodeAvroRows(log, rows), generation)).toEqual({ outcome: 'replaced' });
  }
}

test('a log is compared record by record', { timeout: LONG }, async () => {
  const log = await lakehouse.declare('felt_reports', (yaml) => yaml);
  const published = BigInt(Date.parse('2025-01-01T03:10:00Z')) * 1000n;
  const reports = [1, 2, 3, 4].map((number) => ({
    id: `m${number}`,
    publishTime: published + BigInt(number),
    attributes: { record_id: `r${number}`, carrier_order: String(published) },
    data: JSON.stringify({
      report_id: `r${number}`,
      event_id: 'a',
      felt_at: '2025-01-01T03:09:00Z',
      intensity: 3,
      longitude: 1,
      latitude: 2,
      comment: `felt ${number}`,
    }),
  }));
  await lake.store.create('gs://cupel-bronze/felt_reports/_sub/dt=2025-01-01/03_10_00Z_1.avro', archive(reports));
  await pipeline('felt_reports');
  const patience = { patienceSeconds: 60 };
  expect(await parity('felt_reports', patience)).toMatchObject({ equal: true, keys: 4, silverSnapshotId: null });
  const hour = { from: '2025-01-01T03:00:00Z', to: '2025-01-01T04:00:00Z', ...patience };
  expect(await parity('felt_reports', hour)).toMatchObject({ equal: true, keys: 4 });

  let done = false;
  await editLog(log, (rows) => {
    const edited = rows
      .filter(({ _record_id: id }) => id !== 'r2')
      .map((row) => (row._record_id === 'r3' ? { ...row, comment: 'unfelt' } : row));
    if (done) return edited;
    done = true;
    return [...edited, ...rows.slice(0, 1).map((row) => ({ ...row, _record_id: 'r9' }))];
  });
  const result = await parity('felt_reports', patience);
  expect(result).toMatchObject({ equal: false, counts: { missing: 1, unequal: 1, unknown: 1 } });
  const told = Object.fromEntries((await differencesOf(result)).map((difference) => [difference.key, difference]));
  expect(told.r3).toMatchObject({ kind: 'unequal', columns: ['comment'], silver: { row: { comment: 'unfelt' } } });
  expect(told.r3?.silver?.writtenBy.file).toContain('/dt=2025-01-01/hr=03/bucket-');
  expect(told.r2).toMatchObject({ kind: 'missing', shadow: { row: { comment: 'felt 2' } } });
  expect(told.r9).toMatchObject({ kind: 'unknown' });
  expect((await urisBelow('gs://cupel-silver/logs/')).filter((uri) => uri.includes('__parity_'))).toEqual([]);
});
