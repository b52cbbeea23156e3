import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import { Storage } from '@google-cloud/storage';
import { PROJECT } from '../scripts/tools.ts';
import { ObjectStore } from '../src/lakehouse/object-store.ts';
import { startBigQuery } from './bigquery/start.ts';
import { BUCKETS, provision, TOPICS } from './buckets.ts';
import { startCatalog } from './catalog/start.ts';
import { startDataflow } from './dataflow/server.ts';
import { startDataform } from './dataform/server.ts';
import { startEventarc } from './eventarc/start.ts';
import { startFunctions } from './functions/start.ts';
import { prepareLedger } from './ledger.ts';
import { startMetadata } from './metadata/server.ts';
import { spawnServer } from './process.ts';
import { startPubsub } from './pubsub/server.ts';
import { startStorage } from './storage/start.ts';
import { startTemporal } from './temporal/start.ts';
import { workflowBundle } from './workflow-bundle.ts';

/** How the laptop-size cloud is started. */
export interface CloudOptions {
  /** All that servers keep. */
  stateDirectory: string;
  /** Folder of contracts. Default: `sources`. */
  contractsDirectory?: string;
  /** `CUPEL_HTTP_ENDPOINTS` of the poll function. Default: none, so feeds are polled where they really are. */
  httpEndpoints?: string;
  /** Fixed ports of what people look at. Default: free ones. */
  ports?: { temporal?: number; temporalUi?: number; storage?: number; catalog?: number; warehouse?: number };
}

/** A running cloud. */
export interface Cloud {
  /** What a process needs to use it: the same variables as in production. */
  env: Record<string, string>;
  urls: { temporal: string; storage: string; catalog: string; warehouse: string };
  stop(): Promise<void>;
}

const PROJECT_ID = 'cupel-local';
const REGION = 'us-central1';
const NAMESPACE = 'cupel';
const CATALOG = 'cupel';
const WAREHOUSE = `gs://${BUCKETS.silver}`;

type Stoppable = { stop(): Promise<void> };

/** Starts servers and remembers how to stop them, the last one first. */
class Started {
  readonly #servers: Stoppable[] = [];

  async add<T extends Stoppable>(starting: Promise<T>): Promise<T> {
    const server = await starting;
    this.#servers.push(server);
    return server;
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.splice(0).reverse()) await server.stop();
  }
}

function common(options: CloudOptions): Record<string, string> {
  return {
    CUPEL_PROJECT: PROJECT_ID,
    CUPEL_REGION: REGION,
    CUPEL_BRONZE_BUCKET: BUCKETS.bronze,
    CUPEL_SILVER_BUCKET: BUCKETS.silver,
    CUPEL_OPS_BUCKET: BUCKETS.ops,
    CUPEL_QUARANTINE_BUCKET: BUCKETS.quarantine,
    CUPEL_RECORDS_TOPIC: TOPICS.records,
    CUPEL_CATALOG_WAREHOUSE: WAREHOUSE,
    CUPEL_CATALOG_NAME: CATALOG,
    CUPEL_CONTRACTS_DIR: options.contractsDirectory ?? path.join(PROJECT, 'sources'),
    CUPEL_POLL_INTERVAL_MS: '100',
    TEMPORAL_NAMESPACE: NAMESPACE,
    ...(options.httpEndpoints
      ? { CUPEL_HTTP_ENDPOINTS: options.httpEndpoints, CUPEL_ALLOW_PRIVATE_ADDRESSES: '1' }
      : {}),
  };
}

function portOf(port: number | undefined): { port?: number } {
  return port === undefined ? {} : { port };
}

async function startWorker(env: Record<string, string>, logDirectory: string): Promise<Stoppable> {
  const logFile = path.join(logDirectory, 'worker.log');
  return spawnServer({
    name: 'worker',
    command: process.execPath,
    args: [path.join(PROJECT, 'src/worker.ts')],
    env: { ...env, CUPEL_WORKFLOW_BUNDLE: await workflowBundle() },
    logFile,
    ready: async () => (await readFile(logFile, 'utf8')).includes("state: 'RUNNING'"),
  });
}

async function startAll(started: Started, options: CloudOptions): Promise<Omit<Cloud, 'stop'>> {
  const { stateDirectory, ports = {} } = options;
  const logDirectory = path.join(stateDirectory, 'logs');
  const folders = { stateDirectory, logDirectory };
  await mkdir(logDirectory, { recursive: true });
  const bundling = workflowBundle();
  bundling.catch(() => undefined); // startWorker awaits it
  const temporalStarting = started.add(
    startTemporal({
      ...folders,
      namespace: NAMESPACE,
      ...portOf(ports.temporal),
      ...(ports.temporalUi ? { uiPort: ports.temporalUi } : {}),
    }),
  );
  temporalStarting.catch(() => undefined);
  const metadata = await started.add(startMetadata({ projectId: PROJECT_ID }));
  const { identityToken } = metadata;
  const pubsubServer = await started.add(startPubsub({ identityToken }));
  const env: Record<string, string> = {
    ...common(options),
    GCE_METADATA_HOST: metadata.host,
    METADATA_SERVER_DETECTION: 'assume-present',
    PUBSUB_EMULATOR_HOST: pubsubServer.endpoint,
  };
  // Functions and our own clients run in this process and read its environment, as they do in the cloud.
  Object.assign(process.env, env);
  const storageServer = await started.add(
    startStorage({ ...folders, pubsubEndpoint: pubsubServer.endpoint, ...portOf(ports.storage) }),
  );
  env.CUPEL_STORAGE_ENDPOINT = storageServer.url;
  const storage = new Storage({ projectId: PROJECT_ID, apiEndpoint: storageServer.url });
  const pubsub = new PubSub({ projectId: PROJECT_ID });
  await started.add(Promise.resolve({ stop: () => pubsub.close() }));
  await provision(storage, pubsub);
  const store = new ObjectStore(storage);

  const catalogOptions = {
    ...folders,
    warehouse: WAREHOUSE,
    projectId: PROJECT_ID,
    storageUrl: storageServer.url,
    ...portOf(ports.catalog),
  };
  const startWarehouse = async () => {
    const catalog = await started.add(startCatalog(catalogOptions));
    return catalog;
  };
  const catalogPort = await startWarehouse();
  const bigquery = await started.add(
    startBigQuery({
      projectId: PROJECT_ID,
      logDirectory,
      storageRoot: storageServer.root,
      store,
      catalog: { name: CATALOG, uri: catalogPort.url, warehouse: WAREHOUSE },
      ...portOf(ports.warehouse),
    }),
  );
  env.CUPEL_CATALOG_URI = catalogPort.url;
  env.CUPEL_BIGQUERY_ENDPOINT = bigquery.url;
  const workDirectory = path.join(stateDirectory, 'dataform');
  const dataform = await started.add(
    startDataform({
      projectDirectory: path.join(PROJECT, 'dataform'),
      workDirectory,
      projectId: PROJECT_ID,
      location: REGION,
      bigqueryUrl: bigquery.url,
    }),
  );
  const dataflow = await started.add(
    startDataflow({
      readTemplate: async (uri) => (await store.read(uri)).toString('utf8'),
      commandFor: (_image, parameters) => ({
        command: process.execPath,
        args: [
          path.join(PROJECT, 'beam/main.ts'),
          ...Object.entries(parameters).map(([name, value]) => `--${name}=${value}`),
        ],
        env,
      }),
      logDirectory,
    }),
  );
  const temporal = await temporalStarting;
  Object.assign(env, {
    CUPEL_DATAFORM_ENDPOINT: dataform.endpoint,
    CUPEL_DATAFLOW_ENDPOINT: dataflow.endpoint,
    TEMPORAL_ADDRESS: temporal.address,
  });
  Object.assign(process.env, env);
  const functions = await started.add(startFunctions((token, audience) => metadata.verify(token, audience)));
  env.CUPEL_FUNCTION_POLL_URL = functions.pollUrl;
  env.CUPEL_FUNCTION_ON_FINALIZE_URL = functions.onFinalizeUrl;
  await Promise.all([
    started.add(
      startEventarc({
        pubsub,
        topic: TOPICS.finalized,
        subscription: 'eventarc-on-finalize',
        functionUrl: functions.onFinalizeUrl,
        identityToken,
        atOnce: 32,
      }),
    ),
    started.add(startWorker(env, logDirectory)),
    prepareLedger(env),
  ]);
  const urls = {
    temporal: temporal.uiUrl,
    storage: storageServer.url,
    catalog: catalogPort.url,
    warehouse: bigquery.url,
  };
  return { env, urls };
}

/** Starts every service on the loopback interface. What one that fails leaves behind is stopped. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const started = new Started();
  try {
    return { ...(await startAll(started, options)), stop: () => started.stop() };
  } catch (error) {
    await started.stop();
    throw error;
  }
}
