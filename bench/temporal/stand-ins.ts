// stand-ins.ts DIRECTORY PARTITIONS: Cloud Storage with Bronze's objects and BigQuery with the ledger, as processes of one
// group. When all is there it writes DIRECTORY/environment.json: the variables of a process that uses them.
import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Storage } from '@google-cloud/storage';
import pLimit from 'p-limit';
import { startBigQuery } from '../../local/bigquery/start.ts';
import { BUCKETS } from '../../local/buckets.ts';
import { startMetadata } from '../../local/metadata/server.ts';
import { startStorage } from '../../local/storage/start.ts';
import { bigqueryClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { bronzeName, hourOf } from '../../src/lakehouse/bronze/index.ts';
import { arrivalEvent, Ledger } from '../../src/lakehouse/ledger/index.ts';
import type { LedgerEvent } from '../../src/lakehouse/ledger/index.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { COMMON, FEED, hours, SOURCE } from './setting.ts';

const [directory = '', partitions = ''] = process.argv.slice(2);
const stateDirectory = path.join(directory, 'stand-ins');
const logDirectory = directory;
const projectId = COMMON.CUPEL_PROJECT;

async function start(): Promise<Record<string, string>> {
  await mkdir(stateDirectory, { recursive: true });
  const metadata = await startMetadata({ projectId });
  const credentials = { GCE_METADATA_HOST: metadata.host, METADATA_SERVER_DETECTION: 'assume-present' };
  Object.assign(process.env, credentials);
  const storage = await startStorage({ stateDirectory, logDirectory });
  const client = new Storage({ projectId, apiEndpoint: storage.url });
  for (const bucket of Object.values(BUCKETS)) await client.createBucket(bucket);
  const warehouse = `gs://${BUCKETS.silver}`;
  const bigquery = await startBigQuery({
    projectId,
    logDirectory,
    storageRoot: storage.root,
    store: new ObjectStore(client),
    // No table is ever read: nothing listens there.
    catalog: { name: 'cupel', uri: 'http://127.0.0.1:9', warehouse },
  });
  return {
    ...COMMON,
    ...credentials,
    CUPEL_STORAGE_ENDPOINT: storage.url,
    CUPEL_BIGQUERY_ENDPOINT: bigquery.url,
    CUPEL_CATALOG_URI: 'http://127.0.0.1:9',
    CUPEL_CATALOG_WAREHOUSE: warehouse,
  };
}

/** One object an hour; the ledger knows each as verified, so that no byte of them is read. */
async function fill(env: Record<string, string>): Promise<void> {
  const environment = readEnvironment(env);
  const ledger = new Ledger(await bigqueryClient(environment));
  await ledger.ensure();
  const bucket = `gs://${environment.buckets.bronze}`;
  const store = new ObjectStore(new Storage({ projectId, apiEndpoint: env.CUPEL_STORAGE_ENDPOINT ?? '' }));
  const limit = pLimit(16);
  const land = async (hour: Date): Promise<void> => {
    const content = hour.toISOString();
    const sha256 = createHash('sha256').update(content).digest('hex');
    const name = bronzeName({ source: SOURCE, feed: FEED, hour: hourOf(hour), sha256, extension: 'geojson' });
    await store.create(`${bucket}/${name}`, content);
  };
  await Promise.all(hours(Number(partitions)).map((hour) => limit(() => land(hour))));
  const arrivals: LedgerEvent[] = [];
  for await (const object of store.list(`${bucket}/${SOURCE}/`))
    arrivals.push(arrivalEvent(SOURCE, object, { ok: true }));
  await ledger.append(arrivals);
}

const env = await start();
await fill(env);
const file = path.join(directory, 'environment.json');
await writeFile(`${file}.part`, JSON.stringify(env));
await rename(`${file}.part`, file);
