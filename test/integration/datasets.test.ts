import { createHash } from 'node:crypto';
import { BigQuery } from '@google-cloud/bigquery';
import { parse } from 'csv-parse/sync';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBigQuery } from '../../local/bigquery/start.ts';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import {
  goldSource,
  makeNativeTable,
  readPercents,
  silverSource,
  writeDatasetFiles,
} from '../../src/lakehouse/datasets/index.ts';
import type { DatasetManifest, DatasetResources } from '../../src/lakehouse/datasets/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';

let lake: Lake;
let server: { url: string; stop(): Promise<void> };
let resources: DatasetResources;
const contract = earthquakes();
const PERCENTS = readPercents('80,10,10');
/** Keys with every kind of character; one of them is deleted. */
const KEYS = [...Array.from({ length: 297 }, (_, index) => `us${index}`), 'Łódź', 'a "b", c', '地震'];

/** The formula of docs/datasets.md, by hand. */
function splitOf(key: string): string {
  const number = Number.parseInt(createHash('sha256').update(key).digest('hex').slice(0, 8), 16) % 100;
  return number < 80 ? 'TRAIN' : number < 90 ? 'VALIDATE' : 'TEST';
}

beforeAll(async () => {
  lake = await startLake();
  server = await startBigQuery({
    projectId: 'cupel-test',
    logDirectory: lake.directory,
    storageRoot: lake.storageRoot,
    store: lake.store,
    catalog: { name: 'cupel', uri: lake.catalogUrl, warehouse: 'gs://cupel-silver' },
  });
  const bigquery = new BigQuery({ projectId: 'cupel-test', apiEndpoint: server.url });
  await bigquery.createDataset('gold');
  await bigquery.createDataset('ml');
  resources = { ...lake, bigquery, project: 'cupel-test', catalogName: 'cupel' };
  const rows = KEYS.map((key, index) =>
    quake(contract, key, 10 + index, { place: index % 2 ? 'one, "two"\r\nthree' : '', depth_km: index / 3 }),
  );
  const { batchId } = await publishBatch(lake.store, lake.deltas, contract, [
    ...rows,
    quake(contract, 'gone', 10, { _tombstone: true }),
  ]);
  await commitWaiting(lake, contract, [batchId]);
});
afterAll(async () => {
  await server.stop();
  await lake.stop();
});

const silver = () => silverSource(resources, contract, 'data_split');
const objects = async (manifest: DatasetManifest, uri: string) => {
  const folder = uri.replace('/manifest.json', '');
  return Promise.all(manifest.files.map((file) => lake.store.read(`${folder}/${file.name}`)));
};

test('the BigQuery table has the live rows, each in the split of its key', async () => {
  const { uri, splits } = await makeNativeTable(resources, await silver(), 'ml.earthquakes', 'data_split', PERCENTS);
  expect(uri).toBe('bq://cupel-test.ml.earthquakes');
  const [rows] = (await resources.bigquery.query(
    'SELECT event_id, data_split, UNIX_MICROS(first_version) AS first FROM ml.earthquakes',
  )) as unknown as [{ event_id: string; data_split: string; first: number }[]];
  expect(rows.map((row) => [row.event_id, row.data_split, row.first]).sort()).toEqual(
    KEYS.map((key, index) => [key, splitOf(key), (10 + index) * 1000]).sort(),
  );
  expect(splits).toEqual({
    TRAIN: KEYS.filter((key) => splitOf(key) === 'TRAIN').length,
    VALIDATE: KEYS.filter((key) => splitOf(key) === 'VALIDATE').length,
    TEST: KEYS.filter((key) => splitOf(key) === 'TEST').length,
  });
});

test('a table that somebody changed is made anew', async () => {
  await resources.bigquery.query('DELETE FROM ml.earthquakes WHERE TRUE');
  const { splits } = await makeNativeTable(resources, await silver(), 'ml.earthquakes', 'data_split', PERCENTS);
  expect(splits.TRAIN + splits.VALIDATE + splits.TEST).toBe(KEYS.length);
});

test('CSV is RFC 4180 in files of at most so many rows, and its manifest is true', async () => {
  const source = await silver();
  const { uri, manifest } = await writeDatasetFiles(
    resources,
    source,
    'csv',
    'gs://cupel-ops/out/',
    'data_split',
    PERCENTS,
    128,
  );
  expect(uri).toBe(`gs://cupel-ops/out/silver.earthquakes/${source.version}/csv/manifest.json`);
  expect(JSON.parse(String(await lake.store.read(uri)))).toEqual(manifest);
  expect(manifest.files.map((file) => file.rows)).toEqual([128, 128, 44]);
  const bodies = await objects(manifest, uri);
  expect(bodies.map((body) => createHash('sha256').update(body).digest('hex'))).toEqual(
    manifest.files.map((file) => file.sha256),
  );
  const rows = bodies.flatMap(
    (body) => parse(body, { columns: true, record_delimiter: '\r\n' }) as Record<string, string>[],
  );
  expect(Object.keys(rows[0] ?? {})).toEqual([
    ...contract.columns.map((column) => column.name),
    'first_version',
    'data_split',
  ]);
  expect(rows.map((row) => row.event_id)).toEqual(
    [...KEYS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  const us1 = rows.find((row) => row.event_id === 'us1');
  expect(us1).toMatchObject({
    place: 'one, "two"\r\nthree',
    depth_km: String(1 / 3),
    magnitude_type: '',
    first_version: '1970-01-01T00:00:00.011000Z',
    data_split: splitOf('us1'),
  });
});

test('Parquet has the same rows; the same export again changes nothing, one of other percents is refused', async () => {
  const source = await silver();
  const write = (percents: string) =>
    writeDatasetFiles(resources, source, 'parquet', 'gs://cupel-ops/out', 'data_split', readPercents(percents));
  const { uri, manifest } = await write('80,10,10');
  const [bytes] = await objects(manifest, uri);
  const { buffer, byteOffset, length } = bytes as Buffer;
  const rows = await parquetReadObjects({
    file: buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer,
    compressors,
  });
  expect(rows.map((row) => [row.event_id, row.data_split]).sort()).toEqual(
    KEYS.map((key) => [key, splitOf(key)]).sort(),
  );
  expect(await write('80,10,10')).toEqual({ uri, manifest });
  await expect(write('60,20,20')).rejects.toMatchObject({ code: 'CUP_DATASET_REFUSED' });
});

test('a table of Gold is exported by its key, with its types', async () => {
  await resources.bigquery.query(`CREATE OR REPLACE TABLE gold.daily_seismicity AS
    SELECT DATE '2025-05-04' AS event_date, 3 AS events, 4.5 AS max_magnitude, CAST(NULL AS FLOAT64) AS mean_depth_km`);
  const source = await goldSource(resources, 'daily_seismicity', 'part');
  const { uri, manifest } = await writeDatasetFiles(resources, source, 'csv', 'gs://cupel-ops/out', 'part', PERCENTS);
  expect(String((await objects(manifest, uri))[0])).toBe(
    `event_date,events,max_magnitude,mean_depth_km,part\r\n2025-05-04,3,4.5,,${splitOf('2025-05-04')}\r\n`,
  );
  expect(manifest.schema.map(({ type }) => type)).toEqual(['DATE', 'BIGINT', 'DOUBLE', 'DOUBLE', 'VARCHAR']);
  const table = await makeNativeTable(resources, source, 'cupel-test.ml.daily', 'part', PERCENTS);
  expect(table.splits[splitOf('2025-05-04') as 'TRAIN']).toBe(1);
});

test('what cannot be made is refused', async () => {
  const refused = { code: 'CUP_DATASET_REFUSED' };
  for (const splits of ['80,20', '100,0,0', '50,25,26', '80,10,5,5', 'a,b,c', '33.3,33.3,33.4'])
    expect(() => readPercents(splits)).toThrow(expect.objectContaining(refused));
  await expect(silverSource(resources, contract, 'place')).rejects.toMatchObject(refused);
  await expect(silverSource(resources, contract, '_split')).rejects.toMatchObject(refused);
  await expect(goldSource(resources, 'nothing', 'data_split')).rejects.toMatchObject(refused);
  const source = await silver();
  await expect(makeNativeTable(resources, source, 'earthquakes', 'data_split', PERCENTS)).rejects.toMatchObject(
    refused,
  );
  await expect(writeDatasetFiles(resources, source, 'csv', '/tmp', 'data_split', PERCENTS)).rejects.toMatchObject(
    refused,
  );
});
