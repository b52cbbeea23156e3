import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBigQuery } from '../../local/bigquery/start.ts';
import { startDataform } from '../../local/dataform/server.ts';
import type { DataformServer } from '../../local/dataform/server.ts';
import { dataformActivities } from '../../src/activities/dataform.ts';
import { GOLD, goldActivities } from '../../src/activities/gold.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import { ledgerActivities } from '../../src/activities/ledger.ts';
import { silverActivities } from '../../src/activities/silver.ts';
import { bigqueryClient, dataformClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import type { CupelEnvironment } from '../../src/gcp/env.ts';
import { logFolder } from '../../src/lakehouse/append-log/index.ts';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import type { RestCatalog } from '../../src/lakehouse/iceberg/index.ts';
import { Ledger } from '../../src/lakehouse/ledger/index.ts';
import { admitContract } from '../../src/lakehouse/published-contract.ts';
import { contractOf, earthquakes } from '../support/contracts.ts';
import { BUCKETS } from '../support/kappa-job.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';

const QUIET = { logger: new DefaultLogger('ERROR') };
const REPOSITORY = 'projects/cupel-test/locations/us-central1/repositories/cupel';
const SILVER = '`cupel-test.cupel.silver.earthquakes`';

/** A table of two days from Silver, one without partitions, and an assertion that does not hold. */
const SQL: Record<string, string> = {
  'workflow_settings.yaml': `defaultProject: cupel-test
defaultLocation: US
defaultDataset: gold
defaultAssertionDataset: gold_assertions
dataformCoreVersion: 3.0.62
`,
  'definitions/days.sqlx': `config { type: "table", tags: ["gold"], bigquery: { partitionBy: "day" } }
SELECT DATE(event_time) AS day, COUNT(*) AS events FROM ${SILVER} GROUP BY day`,
  'definitions/declarations.js': `declare({ schema: "raw", name: "reports" })`,
  'definitions/of_raw.sqlx': `config { type: "view", tags: ["weekly"] }
SELECT * FROM \${ref("raw", "reports")}`,
  'definitions/plain.sqlx': `config { type: "table", tags: ["gold"] }
SELECT 'a' AS name, 1 AS value UNION ALL SELECT 'b', 2`,
  'definitions/small_values.sqlx': `config { type: "assertion", tags: ["gold"] }
SELECT * FROM \${ref("plain")} WHERE value > 1`,
};

let lake: Lake;
let warehouse: { url: string; stop(): Promise<void> };
let dataform: DataformServer;
let resources: ActivityResources;
let gold: ReturnType<typeof goldActivities>;
let sql: ReturnType<typeof dataformActivities>;
let contracts: string;
const TAGS = ['gold'];
const SLA = `slaProperties:
  - { property: freshness, value: 2, unit: h }
`;

const withEnvironment = (more: Partial<CupelEnvironment>) =>
  goldActivities({ ...resources, environment: { ...resources.environment, ...more } });

async function run<T, A>(activity: (input: A) => Promise<T>, input: A): Promise<T> {
  return (await new MockActivityEnvironment({ attempt: 1 }, QUIET).run(activity, input)) as T;
}

beforeAll(async () => {
  lake = await startLake();
  contracts = await mkdtemp(path.join(lake.directory, 'contracts-'));
  await writeFile(path.join(contracts, 'promised.yaml'), SLA);
  const project = await mkdtemp(path.join(lake.directory, 'project-'));
  await mkdir(path.join(project, 'definitions'));
  for (const [file, text] of Object.entries(SQL)) await writeFile(path.join(project, file), text);
  const names = { projectId: 'cupel-test', logDirectory: lake.directory };
  const catalog = { name: 'cupel', uri: lake.catalogUrl, warehouse: 'gs://cupel-silver' };
  warehouse = await startBigQuery({ ...names, storageRoot: lake.storageRoot, store: lake.store, catalog });
  dataform = await startDataform({
    projectDirectory: project,
    workDirectory: path.join(lake.directory, 'work'),
    projectId: 'cupel-test',
    location: 'us-central1',
    bigqueryUrl: warehouse.url,
  });
  const environment = readEnvironment({
    CUPEL_PROJECT: 'cupel-test',
    CUPEL_BIGQUERY_ENDPOINT: warehouse.url,
    CUPEL_DATAFORM_ENDPOINT: dataform.endpoint,
    CUPEL_DATAFORM_REPOSITORY: REPOSITORY,
    CUPEL_CONTRACTS_DIR: contracts,
    CUPEL_POLL_INTERVAL_MS: '100',
  });
  const bigquery = await bigqueryClient(environment);
  const ledger = new Ledger(bigquery);
  await ledger.ensure();
  const client = await dataformClient(environment);
  resources = { environment, bigquery, ledger, dataform: client, now: () => Date.now() } as ActivityResources;
  gold = goldActivities(resources);
  sql = dataformActivities(resources);
  const contract = earthquakes();
  const at = (time: string) => ({ event_time: BigInt(Date.parse(time)) * 1000n });
  const version = Date.parse('2025-05-04T11:00:00Z');
  const rows = [
    quake(contract, 'a', version, at('2025-05-03T10:00:00Z')),
    quake(contract, 'b', version, at('2025-05-04T10:00:00Z')),
  ];
  const { batchId } = await publishBatch(lake.store, lake.deltas, contract, rows);
  await commitWaiting(lake, contract, [batchId]);
});
afterAll(async () => {
  await resources.dataform.close();
  await dataform.stop();
  await warehouse.stop();
  await lake.stop();
  await rm(contracts, { recursive: true, force: true });
});

test('a night: bytes by dry run, the cap, failed assertions with their rows, freshness', async () => {
  const { name: compilation } = await run(sql.compileDataform, { asOf: new Date().toISOString() });

  const first = await run(gold.dryRunGold, { compilation, tags: TAGS });
  expect(first.bytes).toBeGreaterThan(0);
  expect(first.biggest[0]?.target).toBe('gold.days');
  expect(first.unknown).toEqual(['gold_assertions.small_values']);
  await expect(resources.bigquery.dataset('gold').table('plain').exists()).resolves.toEqual([false]);
  await expect(
    run(withEnvironment({ goldMaxBytes: first.bytes - 1 }).dryRunGold, { compilation, tags: TAGS }),
  ).rejects.toMatchObject({ code: 'CUP_GOLD_BYTES_CAP', retryable: false });
  await run(withEnvironment({ goldMaxBytes: first.bytes }).dryRunGold, { compilation, tags: TAGS });

  const invocation = await run(sql.startDataform, { compilationResult: compilation, tags: TAGS });
  await expect(run(sql.awaitDataform, { invocation })).rejects.toMatchObject({ code: 'CUP_DATAFORM_ASSERTION_FAILED' });
  const failed = await run(gold.sampleAssertions, { invocation, date: '2025-05-04' });
  expect(failed).toEqual([
    { assertion: 'gold_assertions.small_values', reason: 'Assertion failed, expected zero rows, got 1' },
  ]);
  const [entered] = await resources.ledger.latest(GOLD, ['assertion']);
  expect(entered).toMatchObject({ state: 'failed', detail: { invocation, sample: [{ name: 'b', value: 2 }] } });
  const { unknown } = await run(gold.dryRunGold, { compilation, tags: TAGS });
  expect(unknown).toEqual([]);

  const measure = { compilation, tags: TAGS, sources: ['promised'], asOf: new Date().toISOString(), run: 'r' };
  const [days, plain] = await run(gold.measureFreshness, { ...measure, date: '2025-05-04' });
  expect(days).toMatchObject({ table: 'gold.days', state: 'fresh', newest: '2025-05-05T00:00:00.000Z' });
  expect(plain).toMatchObject({ table: 'gold.plain', state: 'fresh', by: 'materialization' });
  const [later] = await run(gold.measureFreshness, { ...measure, date: '2025-05-06', run: 's' });
  expect(later).toMatchObject({ state: 'stale', ageSeconds: 172_800, promisedSeconds: 7_200 });
  const states = await resources.ledger.latest(GOLD, ['freshness']);
  expect(states.map(({ subject, state }) => [subject, state])).toContainEqual(['gold.days', 'stale']);

  await run(gold.passAssertions, { invocation: 'a later one' });
  expect((await resources.ledger.latest(GOLD, ['assertion']))[0]?.state).toBe('passed');
});

test('which tables of raw an invocation by tags reads is known from the compilation', async () => {
  const { name: compilation } = await run(sql.compileDataform, { asOf: new Date().toISOString() });
  expect(await run(gold.readRawTables, { compilation, tags: TAGS })).toEqual([]);
  expect(await run(gold.readRawTables, { compilation, tags: ['weekly'] })).toEqual(['reports']);
});

test('what Silver holds: one time for all, none of what has no table, and of other sources no log', async () => {
  const environment = readEnvironment({ ...BUCKETS, CUPEL_PROJECT: 'cupel-test' });
  const silver = silverActivities({ ...resources, ...lake, environment, now: () => 0 } as ActivityResources);
  const publications = { store: lake.store, opsBucket: environment.buckets.ops };
  for (const source of ['earthquakes', 'networks', 'felt_reports'])
    await admitContract(publications, contractOf(source));
  const others = ['networks', 'felt_reports', 'never_published'];
  const { asOf, states } = await run(silver.readSilverStates, { sources: ['earthquakes'], others });
  const table = await IcebergTable.load(lake.catalog, lake.store, 'silver', 'earthquakes');
  expect(states).toEqual([
    { source: 'earthquakes', snapshotId: String(table?.current?.['snapshot-id']), rawTable: 'earthquakes' },
  ]);
  // Our clock says 1970: then the snapshot counts.
  expect(asOf).toBe(new Date(Number(table?.current?.['timestamp-ms']) + 1).toISOString());
  // A log has no snapshot: its source asks for what it holds.
  const contract = contractOf('felt_reports');
  await lake.store.create(`${logFolder(lake.silverBucket, contract)}dt=2025-05-04/hr=00/0.avro`, 'rows');
  expect((await run(silver.readSilverStates, { sources: [], others: ['felt_reports'] })).states).toEqual([]);
  const [log] = (await run(silver.readSilverStates, { sources: ['felt_reports'] })).states;
  expect(log).toMatchObject({ source: 'felt_reports', rawTable: 'felt_reports' });
  // What cannot be read of another source fails nobody.
  const catalog = { loadTable: () => Promise.reject(new Error('away')) } as unknown as RestCatalog;
  const away = silverActivities({ ...resources, ...lake, catalog, environment } as ActivityResources);
  expect((await run(away.readSilverStates, { sources: [], others })).states).toEqual([]);
  await expect(run(away.readSilverStates, { sources: ['networks'] })).rejects.toThrow('away');
});

test('what was made by others counts where it may', async () => {
  const { isMaterialized, recordMaterialization } = ledgerActivities(resources);
  const made = [
    { source: 'a', fingerprint: '1/c' },
    { source: 'b', fingerprint: '1/c', byOthers: true },
  ];
  await run(recordMaterialization, { made, invocation: 'i', asOf: '2025-05-04T00:00:00.000Z' });
  const isMade = (source: string, byOthers: boolean) => run(isMaterialized, { source, fingerprint: '1/c', byOthers });
  expect(await isMade('a', false)).toBe(true);
  expect(await isMade('b', true)).toBe(true);
  expect(await isMade('b', false)).toBe(false);
});

test('a dry run runs nothing, and counts the bytes as Google sizes values', async () => {
  const { bigquery } = resources;
  await bigquery.dataset('gold').createTable('sizes', {
    schema: [
      { name: 'word', type: 'STRING' },
      { name: 'number', type: 'INT64' },
    ],
  });
  await bigquery
    .dataset('gold')
    .table('sizes')
    .insert([
      { word: 'ä1', number: 1 },
      { word: null, number: 2 },
    ]);
  const bytesOf = async (query: string): Promise<number> => {
    const [, answer] = await bigquery.createQueryJob({ query, dryRun: true });
    return Number(answer.statistics?.totalBytesProcessed);
  };
  // A string is 2 bytes and its UTF-8, an integer 8; a null is nothing.
  expect(
    await bytesOf('SELECT s.word FROM gold.sizes AS s JOIN `cupel-test.gold.sizes` AS o ON s.number = o.number'),
  ).toBe(21);
  expect(await bytesOf('CREATE TABLE gold.copied AS SELECT * FROM gold.sizes')).toBe(21);
  expect(await bigquery.dataset('gold').table('copied').exists()).toEqual([false]);
  await expect(bytesOf('SELECT * FROM gold.nowhere')).rejects.toMatchObject({ code: 404 });
});
