import { BigQuery } from '@google-cloud/bigquery';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findBigLakeNames, timestampMillis } from '../../local/bigquery/front/biglake-names.ts';
import { outdatedTables } from '../../local/bigquery/front/biglake-tables.ts';
import { InsertIds } from '../../local/bigquery/front/insert-ids.ts';
import { replaceNames } from '../../local/bigquery/front/statements.ts';
import { startBigQuery } from '../../local/bigquery/start.ts';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { ledgerEvent, Ledger } from '../../src/lakehouse/ledger/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';

let lake: Lake;
let server: { url: string; stop(): Promise<void> };
let bigquery: BigQuery;
const contract = earthquakes();
const NAME = '`cupel-test.cupel.silver.earthquakes`';

beforeAll(async () => {
  lake = await startLake();
  server = await startBigQuery({
    projectId: 'cupel-test',
    logDirectory: lake.directory,
    storageRoot: lake.storageRoot,
    store: lake.store,
    catalog: { name: 'cupel', uri: lake.catalogUrl, warehouse: 'gs://cupel-silver' },
  });
  bigquery = new BigQuery({ projectId: 'cupel-test', apiEndpoint: server.url });
  await bigquery.createDataset('gold');
});
afterAll(async () => {
  await server.stop();
  await lake.stop();
});

async function query(sql: string, more: object = {}): Promise<Record<string, unknown>[]> {
  const [job] = await bigquery.createQueryJob({ query: sql, ...more });
  const [rows] = await job.getQueryResults();
  return rows as Record<string, unknown>[];
}

async function commit(rows: ReturnType<typeof quake>[]): Promise<number> {
  const manifest = await publishBatch(lake.store, lake.deltas, contract, rows);
  await commitWaiting(lake, contract, [manifest.batchId]);
  return Date.now();
}

function rewrite(sql: string): string {
  const names = findBigLakeNames(sql, { projectId: 'cupel-test', name: 'cupel' });
  const natives = names.map(({ namespace, table, asOfMs }) => `[${namespace}.${table}@${asOfMs}]`);
  return replaceNames(sql, names, natives);
}

test.each([
  ['FROM `cupel-test.cupel.silver.t`', 'FROM [silver.t@undefined]'],
  ['FROM `cupel-test.cupel`.`silver`.`t` x', 'FROM [silver.t@undefined] x'],
  ['FROM cupel-test.cupel.silver.t', 'FROM [silver.t@undefined]'],
  [
    'FROM `cupel-test.cupel.silver.t` FOR SYSTEM_TIME AS OF TIMESTAMP("1970-01-01 00:00:01+00")',
    'FROM [silver.t@1000] ',
  ],
  [
    "FROM `cupel-test.cupel.silver.t` AS a for system_time as of timestamp '1970-01-01T00:00:00.0019Z' JOIN b",
    'FROM [silver.t@1] AS a  JOIN b',
  ],
  [
    'FROM `cupel-test.cupel.silver.t` FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP(), `cupel-test.cupel.silver.t`',
    'FROM [silver.t@Infinity] , [silver.t@undefined]',
  ],
  ['FROM `other.cupel.silver.t`, `cupel-test.native.t`', 'FROM `other.cupel.silver.t`, `cupel-test.native.t`'],
  [
    'SELECT "`cupel-test.cupel.a.t`" -- `cupel-test.cupel.b.t`',
    'SELECT "`cupel-test.cupel.a.t`" -- `cupel-test.cupel.b.t`',
  ],
])('%s is read as a name', (sql, expected) => {
  expect(rewrite(sql)).toBe(expected);
});

test('the time of a name is exact, or refused', () => {
  expect(timestampMillis('2025-1-2 3:04:05.1239999 UTC')).toBe(Date.parse('2025-01-02T03:04:05.123Z'));
  expect(timestampMillis('2025-01-02')).toBe(Date.parse('2025-01-02T00:00:00Z'));
  expect(timestampMillis('2025-01-02 10:00:00-7')).toBe(Date.parse('2025-01-02T17:00:00Z'));
  expect(timestampMillis('2025-01-02 10:00:00 America/Denver')).toBeNaN();
  const shifted = 'FROM `cupel-test.cupel.silver.t` FOR SYSTEM_TIME AS OF TIMESTAMP "2025-01-02" - INTERVAL 1 DAY';
  expect(findBigLakeNames(shifted, { projectId: 'cupel-test', name: 'cupel' })[0]?.asOfMs).toBeNaN();
});

test('native tables of old snapshots are dropped when nobody uses them', () => {
  const used = new Map(['a', 'b', 'c', 'd', 'e', 'f'].map((name, index) => [name, index * 1_000]));
  expect(outdatedTables(used, 60_500)).toEqual(['a']);
  expect(outdatedTables(used, 1e9)).toEqual(['a', 'b']);
});

test('an insertId is remembered for ten minutes, and only once its rows are in', async () => {
  let now = 0;
  const ids = new InsertIds(() => now);
  const sent: number[][] = [];
  const insert = (taken: boolean) =>
    ids.insert('datasets/d/tables/t', { rows: [{ insertId: 'x', json: {} }, { json: {} }] }, (fresh) => {
      sent.push(fresh);
      return Promise.resolve(taken);
    });
  await insert(false);
  await Promise.all([insert(true), insert(true)]);
  now = 600_001;
  await insert(true);
  expect(sent).toEqual([[0, 1], [0, 1], [1], [0, 1]]);
});

test('a four-part name reads the newest snapshot, or the one of a time', async () => {
  const then = await commit([quake(contract, 'a', 10, { magnitude: -1.5, significance: 7, tsunami: true })]);
  await new Promise((resolve) => setImmediate(resolve));
  while (Date.now() <= then) await new Promise((resolve) => setImmediate(resolve));
  await commit([quake(contract, 'a', 11, { magnitude: 2 }), quake(contract, 'b', 10)]);
  const newest = `SELECT event_id, magnitude FROM ${NAME} ORDER BY 1`;
  const answers = await Promise.all([query(newest), query(newest), query(newest)]);
  for (const answer of answers) {
    expect(answer).toEqual([
      { event_id: 'a', magnitude: 2 },
      { event_id: 'b', magnitude: 1.5 },
    ]);
  }
  const [jobs] = await bigquery.getJobs();
  expect(jobs.filter((job) => job.metadata.configuration?.load)).toHaveLength(1);
  const asOf = new Date(then).toISOString();
  const past = await query(
    `SELECT event_id, magnitude, significance, tsunami, UNIX_MICROS(updated_at) AS updated, LENGTH(_record_hash) AS hash
     FROM ${NAME} FOR SYSTEM_TIME AS OF TIMESTAMP "${asOf}"`,
  );
  expect(past).toEqual([{ event_id: 'a', magnitude: -1.5, significance: 7, tsunami: true, updated: 10_000, hash: 32 }]);
  const both = `SELECT (SELECT COUNT(*) FROM ${NAME}) AS now, (SELECT COUNT(*) FROM ${NAME} AS e FOR SYSTEM_TIME AS OF TIMESTAMP("${asOf}")) AS past`;
  expect(await query(both)).toEqual([{ now: 2, past: 1 }]);
});

test('a time before the first snapshot, or one that is no literal, is refused', async () => {
  const at = (time: string) => query(`SELECT 1 FROM ${NAME} FOR SYSTEM_TIME AS OF ${time}`);
  await expect(at('TIMESTAMP "2020-01-01"')).rejects.toMatchObject({ code: 400 });
  await expect(at('TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)')).rejects.toMatchObject({ code: 400 });
});

test('a view over a four-part name is refused, a missing table is not found', async () => {
  const select = `SELECT * FROM ${NAME}`;
  await expect(query(`CREATE VIEW gold.v AS ${select}`)).rejects.toMatchObject({ code: 400 });
  await expect(query(`create materialized view gold.v as ${select}`)).rejects.toMatchObject({ code: 400 });
  await expect(bigquery.dataset('gold').createTable('v', { view: select })).rejects.toMatchObject({ code: 400 });
  await expect(query('SELECT * FROM `cupel-test.cupel.silver.none`')).rejects.toMatchObject({ code: 404 });
  expect(await query(`SELECT 'create view' AS text, COUNT(*) AS n FROM ${NAME}`)).toEqual([
    { text: 'create view', n: 2 },
  ]);
  await expect(bigquery.dataset('cupel.silver').table('earthquakes').getMetadata()).rejects.toMatchObject({
    code: 404,
  });
});

test('a dry run of a four-part name has the schema and makes no job', async () => {
  const options = { query: `SELECT event_id FROM ${NAME}`, dryRun: true };
  const [job] = await bigquery.createQueryJob(options);
  expect(job.metadata.statistics.query.schema.fields).toMatchObject([{ name: 'event_id', type: 'STRING' }]);
  await expect(bigquery.createQueryJob({ ...options, query: 'SELEC 1' })).rejects.toMatchObject({ code: 400 });
});

test('a known job id is refused, also while the job runs', async () => {
  const create = () => bigquery.createQueryJob({ query: 'SELECT 1', jobId: 'once' });
  const results = await Promise.allSettled([create(), create(), create()]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
  await expect(create()).rejects.toMatchObject({
    code: 409,
    message: 'Already Exists: Job cupel-test:US.once',
    errors: [expect.objectContaining({ reason: 'duplicate' })],
  });
});

test('a query writes its destination table as its disposition says', async () => {
  const into = (name: string, value: number, writeDisposition?: string) =>
    query(`-- a comment\nSELECT ${value} AS answer`, {
      destination: bigquery.dataset('gold').table(name),
      ...(writeDisposition ? { writeDisposition } : {}),
    });
  await into('copied', 1);
  await expect(into('copied', 2)).rejects.toThrow('Already Exists: Table cupel-test.gold.copied');
  await into('copied', 3, 'WRITE_APPEND');
  expect(await query('SELECT answer FROM gold.copied ORDER BY 1')).toEqual([{ answer: 1 }, { answer: 3 }]);
  await into('copied', 4, 'WRITE_TRUNCATE');
  await into('appended', 5, 'WRITE_APPEND');
  expect(await query('SELECT * FROM gold.copied, gold.appended AS b')).toEqual([{ answer: 4, answer_1: 5 }]);
});

test('a wrong statement is an error and not an empty answer, whichever way it is asked', async () => {
  await expect(query('SELEC 1')).rejects.toThrow('Syntax error');
  await expect(bigquery.query('SELEC 1')).rejects.toMatchObject({ code: 400 });
  await expect(bigquery.query('SELECT * FROM gold.none')).rejects.toMatchObject({ code: 404 });
  expect((await bigquery.query(`SELECT COUNT(*) AS n FROM ${NAME}`))[0]).toEqual([{ n: 2 }]);
  await bigquery.createQueryJob({ query: "SELECT ERROR('boom')", jobId: 'fails' }).catch(() => undefined);
  const [metadata] = await bigquery.job('fails').getMetadata();
  expect(metadata.status.errorResult).toMatchObject({ reason: 'invalidQuery' });
  await expect(bigquery.job('fails').getQueryResults()).rejects.toThrow('boom');
});

test('rows come once per insertId until their table is deleted', async () => {
  const table = bigquery.dataset('gold').table('rows');
  const schema = { fields: [{ name: 'id', type: 'STRING', mode: 'REQUIRED' }] };
  const insert = (...ids: string[]) =>
    table.insert(
      ids.map((id) => ({ insertId: id, json: { id } })),
      { raw: true },
    );
  const ids = async () => (await query('SELECT id FROM gold.rows ORDER BY 1')).map(({ id }) => id);
  await bigquery.dataset('gold').createTable('rows', { schema });
  await Promise.all([insert('a'), insert('a', 'b'), insert('b', 'b', 'c')]);
  expect(await ids()).toEqual(['a', 'b', 'c']);
  await table.delete();
  await bigquery.dataset('gold').createTable('rows', { schema });
  await insert('a');
  expect(await ids()).toEqual(['a']);
});

test('what Gold is made of runs: exact means and percentiles, partitioned tables, assertions as views', async () => {
  const depths = [0.1, 0.2, 1 / 3, null];
  await commit(
    depths.map((depth, index) => quake(contract, `g${index}`, 10 + index, { depth_km: depth, magnitude: index })),
  );
  const silver = `(SELECT * EXCEPT (_tombstone) FROM ${NAME} FOR SYSTEM_TIME AS OF TIMESTAMP "${new Date().toISOString()}" WHERE NOT _tombstone AND event_id LIKE 'g%')`;
  await query(`create or replace table \`cupel-test.gold.daily\` PARTITION BY event_date as
    SELECT DATE(event_time) AS event_date, COUNT(*) AS events, MAX(magnitude) AS max_magnitude, ROUND(AVG(depth_km), 6) AS mean
    FROM ${silver} GROUP BY event_date`);
  const daily = { event_date: bigquery.date('2023-11-14'), events: 4, max_magnitude: 3, mean: 0.211111 };
  expect(await query('SELECT * FROM gold.daily')).toEqual([daily]);
  const latency = await query(`WITH ranked AS (
      SELECT d, minutes, ROW_NUMBER() OVER (PARTITION BY d ORDER BY minutes) AS k, COUNT(*) OVER (PARTITION BY d) AS n FROM (
        SELECT DATE(event_time) AS d, TIMESTAMP_DIFF(TIMESTAMP_MICROS(UNIX_MICROS(event_time) + UNIX_MICROS(updated_at)), event_time, MICROSECOND) / 60e6 AS minutes
        FROM ${silver}))
    SELECT MAX(IF(k = DIV(n * 95 + 99, 100), minutes, NULL)) AS p95, MAX(IF(k = DIV(n * 50 + 99, 100), minutes, NULL)) AS p50 FROM ranked`);
  expect(latency).toEqual([{ p95: 13_000 / 60e6, p50: 11_000 / 60e6 }]);
  await query(
    'create or replace view gold.unique_days as select event_date from gold.daily group by 1 having count(1) > 1',
  );
  expect(await query('select sum(1) as row_count from gold.unique_days')).toEqual([{ row_count: null }]);
  await query(`create or replace view gold.newest as SELECT * FROM gold.daily
    WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY event_date ORDER BY events DESC) = 1`);
  expect(await query('SELECT events FROM gold.newest')).toEqual([{ events: 4 }]);
  expect((await bigquery.getDatasets())[0].map(({ id }) => id)).not.toContain('_biglake');
});

test('datasets outlive a stop where they have a folder', async () => {
  const catalog = { name: 'cupel', uri: lake.catalogUrl, warehouse: 'gs://cupel-silver' };
  const folders = { logDirectory: lake.directory, stateDirectory: lake.directory, storageRoot: lake.storageRoot };
  const options = { projectId: 'cupel-test', ...folders, store: lake.store, catalog };
  for (const expected of [1, 2]) {
    const kept = await startBigQuery(options);
    try {
      const client = new BigQuery({ projectId: 'cupel-test', apiEndpoint: kept.url });
      if (expected === 1) await client.createDataset('kept');
      await client.createQueryJob('CREATE TABLE IF NOT EXISTS kept.t (n INT64)');
      await client.createQueryJob('INSERT INTO kept.t (n) VALUES (1)');
      expect((await client.query('SELECT COUNT(*) AS n FROM kept.t'))[0]).toEqual([{ n: expected }]);
      expect((await client.query(`SELECT COUNT(*) > 0 AS there FROM ${NAME}`))[0]).toEqual([{ there: true }]);
    } finally {
      await kept.stop();
    }
  }
});

test('the ledger shows the newest state of each subject, however often an event comes', async () => {
  const ledger = new Ledger(bigquery);
  await ledger.ensure();
  await ledger.ensure();
  const first = ledgerEvent('partition', 'earthquakes', 'all_hour/2025-01-01T00', 'stale', 'f1', {}, new Date(1_000));
  const second = ledgerEvent(
    'partition',
    'earthquakes',
    'all_hour/2025-01-01T00',
    'done',
    'f2',
    { rows: 3 },
    new Date(2_000),
  );
  await ledger.append([first, second]);
  await ledger.append([first, second]);
  expect(await ledger.latest('earthquakes', ['partition'])).toEqual([
    {
      kind: 'partition',
      subject: 'all_hour/2025-01-01T00',
      state: 'done',
      fingerprint: 'f2',
      occurredAt: '1970-01-01T00:00:02Z',
      detail: { rows: 3 },
    },
  ]);
  expect(await query('SELECT COUNT(*) AS n FROM ops.events')).toEqual([{ n: 2 }]);
});
