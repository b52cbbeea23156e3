import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBigQuery } from '../../local/bigquery/start.ts';
import { startDataform } from '../../local/dataform/server.ts';
import { PROJECT } from '../../scripts/tools.ts';
import { dataformActivities } from '../../src/activities/dataform.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import { bigqueryClient, dataformClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { explain, readKey } from '../../src/lakehouse/explain/index.ts';
import type { RowStory } from '../../src/lakehouse/explain/index.ts';
import { readGoldKnowledge } from '../../src/lakehouse/gold/knowledge.ts';
import { Ledger, ledgerEvent } from '../../src/lakehouse/ledger/index.ts';
import { contractOf, earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';

const QUIET = { logger: new DefaultLogger('ERROR') };
const REPOSITORY = 'projects/cupel-test/locations/us-central1/repositories/cupel';
const SILVER = '${ref({ database: "cupel-test.cupel", schema: "silver", name: "earthquakes" })}';

/** Tables of days and of events that say where a row is, one that does not, and one of another source. */
const SQL: Record<string, string> = {
  'workflow_settings.yaml': `defaultProject: cupel-test
defaultLocation: US
defaultDataset: gold
defaultAssertionDataset: gold_assertions
dataformCoreVersion: 3.0.62
`,
  'definitions/declarations.js': `declare({ database: 'cupel-test.cupel', schema: 'silver', name: 'earthquakes' });`,
  'definitions/days.sqlx': `config { type: "table", tags: ["gold"], bigquery: { partitionBy: "day", labels: { from_earthquakes: "event_time-day" } } }
SELECT DATE(event_time) AS day, COUNT(*) AS events FROM ${SILVER} GROUP BY day`,
  'definitions/events.sqlx': `config { type: "table", tags: ["gold"], bigquery: { labels: { from_earthquakes: "event_id-id--event_time-at" } } }
SELECT event_id AS id, event_time AS at, magnitude FROM ${SILVER}`,
  'definitions/largest.sqlx': `config { type: "view", tags: ["gold"] }
SELECT MAX(magnitude) AS magnitude FROM \${ref("events")}`,
  'definitions/other.sqlx': `config { type: "table", tags: ["gold"] }
SELECT 1 AS one`,
};

let lake: Lake;
let resources: ActivityResources;
const stops: (() => Promise<unknown>)[] = [];
const contract = earthquakes();

beforeAll(async () => {
  lake = await startLake();
  const project = await mkdtemp(path.join(lake.directory, 'project-'));
  await mkdir(path.join(project, 'definitions'));
  for (const [file, text] of Object.entries(SQL)) await writeFile(path.join(project, file), text);
  const names = { projectId: 'cupel-test', logDirectory: lake.directory };
  const catalog = { name: 'cupel', uri: lake.catalogUrl, warehouse: 'gs://cupel-silver' };
  const warehouse = await startBigQuery({ ...names, storageRoot: lake.storageRoot, store: lake.store, catalog });
  stops.push(() => warehouse.stop());
  resources = await connect(project, warehouse.url);
});
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
  await lake.stop();
});

async function connect(projectDirectory: string, bigqueryUrl: string): Promise<ActivityResources> {
  const workDirectory = await mkdtemp(path.join(lake.directory, 'work-'));
  const place = { projectId: 'cupel-test', location: 'us-central1', bigqueryUrl };
  const dataform = await startDataform({ projectDirectory, workDirectory, ...place });
  stops.push(() => dataform.stop());
  const environment = readEnvironment({
    CUPEL_PROJECT: 'cupel-test',
    CUPEL_BIGQUERY_ENDPOINT: bigqueryUrl,
    CUPEL_DATAFORM_ENDPOINT: dataform.endpoint,
    CUPEL_DATAFORM_REPOSITORY: REPOSITORY,
    CUPEL_CATALOG_NAME: 'cupel',
    CUPEL_POLL_INTERVAL_MS: '100',
  });
  const bigquery = await bigqueryClient(environment);
  const ledger = new Ledger(bigquery);
  await ledger.ensure();
  const client = await dataformClient(environment);
  stops.push(() => client.close());
  return { environment, bigquery, ledger, dataform: client, now: () => Date.now() } as ActivityResources;
}

async function run<T, A>(activity: (input: A) => Promise<T>, input: A): Promise<T> {
  return (await new MockActivityEnvironment({ attempt: 1 }, QUIET).run(activity, input)) as T;
}

async function commit(magnitude: number, version: number, day: string): Promise<void> {
  const changes = { magnitude, event_time: BigInt(Date.parse(`${day}T23:59:59Z`)) * 1000n };
  const { batchId } = await publishBatch(lake.store, lake.deltas, contract, [quake(contract, 'a', version, changes)]);
  await commitWaiting(lake, contract, [batchId]);
}

/** Makes Gold as `materialize` does, and enters it. */
async function makeGold(source: string): Promise<string> {
  const sql = dataformActivities(resources);
  const asOf = new Date(Date.now() + 1).toISOString();
  const { name } = await run(sql.compileDataform, { asOf });
  const invocation = await run(sql.startDataform, { compilationResult: name, tags: ['gold'] });
  await run(sql.awaitDataform, { invocation });
  const detail = { invocation, asOf };
  await resources.ledger.append([ledgerEvent('materialization', source, 'gold', 'succeeded', asOf, detail)]);
  return asOf;
}

const knowledge = (of = resources, source = contract) => {
  const compile = async (asOf: string): Promise<string> =>
    (await run(dataformActivities(of).compileDataform, { asOf })).name;
  return readGoldKnowledge({ ...of, compile, project: 'cupel-test', catalogName: 'cupel' }, source, [
    'earthquakes',
    'networks',
  ]);
};

async function rowOf(key: string): Promise<RowStory> {
  const buckets = { bronzeBucket: 'cupel-bronze', quarantineBucket: 'cupel-quarantine', opsBucket: 'cupel-ops' };
  const gold = { bigquery: resources.bigquery, knowledge: await knowledge() };
  const { rows } = await explain(
    { ...lake, ...buckets, ledger: resources.ledger, gold, progress: () => undefined },
    contract,
    readKey(contract, key),
  );
  return rows[0]!;
}

test('which tables of Gold a row reached, and where in them it is', async () => {
  expect((await rowOf('a')).gold).toMatchObject({ run: null, tables: [{ reached: 'unknown' }, {}, {}] });

  await commit(2, 10, '2025-05-03');
  const asOf = await makeGold('networks'); // each run makes all of Gold, whichever source it is for
  const { gold } = await rowOf('a');
  expect(gold).toMatchObject({ run: { asOf }, readRecordId: 'object-10#0' });
  const tables = new Map(gold!.tables.map((of) => [of.table, of]));
  expect([...tables.keys()].sort()).toEqual(['gold.days', 'gold.events', 'gold.largest']);
  expect(tables.get('gold.days')).toMatchObject({
    reached: 'yes',
    partitionBy: 'day',
    place: [{ column: 'day', from: 'event_time', value: '2025-05-03' }],
    rows: 1,
  });
  expect(tables.get('gold.events')).toMatchObject({
    reached: 'yes',
    place: [{ column: 'id', value: 'a' }, { value: '2025-05-03T23:59:59.000000Z' }],
    rows: 1,
  });
  expect(tables.get('gold.largest')).toMatchObject({ reached: 'yes', place: [], rows: null, partitionBy: null });
});

test('what Silver got after the newest run did not reach Gold; the record whose row it read is told', async () => {
  await commit(3, 20, '2025-05-04');
  const behind = await rowOf('a');
  expect(behind.silver?.recordId).toBe('object-20#0');
  expect(behind.gold?.readRecordId).toBe('object-10#0');
  const days = behind.gold?.tables.find(({ table }) => table === 'gold.days');
  expect(days).toMatchObject({ reached: 'no', place: [{ value: '2025-05-04' }], rows: 0 });

  await makeGold('earthquakes');
  const reached = await rowOf('a');
  expect(reached.gold?.readRecordId).toBe('object-20#0');
  expect(reached.gold?.tables.map((of) => of.reached)).toEqual(['yes', 'yes', 'yes']);
  expect(reached.gold?.tables.find(({ table }) => table === 'gold.days')).toMatchObject({ rows: 1 });
});

test('our own project says for every source which tables stand on it', async () => {
  const own = await connect(path.join(PROJECT, 'dataform'), resources.environment.endpoints.bigquery ?? '');
  const of = async (source: string): Promise<string[]> => {
    const { tables } = await knowledge(own, contractOf(source));
    return tables.map(({ table, labels }) => `${table} ${labels[`from_${source}`] ?? '-'}`).sort();
  };
  expect(await of('earthquakes')).toEqual([
    'gold.daily_seismicity event_time-event_date',
    'gold.felt_by_event event_id-event_id',
    'gold.networks -',
    'gold.revision_latency event_time-event_date',
  ]);
  expect(await of('github_events')).toEqual([
    'gold.repo_activity received_at-activity_date--repository-repository',
    'gold.repo_events repository-repository--event_type-event_type',
    'silver.github_events -',
  ]);
});
