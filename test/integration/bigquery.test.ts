import { BigQuery } from '@google-cloud/bigquery';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

test('a four-part name reads the newest snapshot, or the one of a time', async () => {
  const then = await commit([quake(contract, 'a', 10, { magnitude: -1.5, significance: 7, tsunami: true })]);
  await new Promise((resolve) => setImmediate(resolve));
  while (Date.now() <= then) await new Promise((resolve) => setImmediate(resolve));
  await commit([quake(contract, 'a', 11, { magnitude: 2 }), quake(contract, 'b', 10)]);
  expect(await query(`SELECT event_id, magnitude FROM ${NAME} ORDER BY 1`)).toEqual([
    { event_id: 'a', magnitude: 2 },
    { event_id: 'b', magnitude: 1.5 },
  ]);
  const past = await query(
    `SELECT event_id, magnitude, significance, tsunami, UNIX_MICROS(updated_at) AS updated, LENGTH(_record_hash) AS hash
     FROM ${NAME} FOR SYSTEM_TIME AS OF TIMESTAMP "${new Date(then).toISOString()}"`,
  );
  expect(past).toEqual([{ event_id: 'a', magnitude: -1.5, significance: 7, tsunami: true, updated: 10_000, hash: 32 }]);
});

test('a view over a four-part name is refused, a missing table is not found', async () => {
  await expect(query(`CREATE VIEW gold.v AS SELECT * FROM ${NAME}`)).rejects.toMatchObject({ code: 400 });
  await expect(query('SELECT * FROM `cupel-test.cupel.silver.none`')).rejects.toMatchObject({ code: 404 });
});

test('a known job id is refused', async () => {
  await query('SELECT 1', { jobId: 'once' });
  await expect(bigquery.createQueryJob({ query: 'SELECT 1', jobId: 'once' })).rejects.toMatchObject({ code: 409 });
});

test('a query writes its destination table', async () => {
  const destination = bigquery.dataset('gold').table('copied');
  await query('SELECT 41 + 1 AS answer', { destination });
  expect(await query('SELECT answer FROM gold.copied')).toEqual([{ answer: 42 }]);
});

test('a wrong statement is an error and not an empty answer', async () => {
  await expect(query('SELEC 1')).rejects.toThrow();
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
