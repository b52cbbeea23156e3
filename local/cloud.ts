import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { BigQuery } from '@google-cloud/bigquery';
import { PubSub } from '@google-cloud/pubsub';
import { Storage } from '@google-cloud/storage';
import { PROJECT } from '../scripts/tools.ts';
import { ObjectStore } from '../src/lakehouse/object-store.ts';
import { startBigQuery } from './bigquery/start.ts';
import { BUCKETS, CONTROL_SUBSCRIPTION, notifyOfObjects, provision, TOPICS } from './buckets.ts';
import { startCatalog } from './catalog/start.ts';
import { startDataflow } from './dataflow/server.ts';
import { startDataform } from './dataform/server.ts';
import { startEventarc } from './eventarc/start.ts';
import { startFunctions } from './functions/start.ts';
import { startMetadata } from './metadata/server.ts';
import type { MetadataServer } from './metadata/server.ts';
import { freePort } from './ports.ts';
import { provisionSubscriptions } from './subscriptions.ts';
import { noteJob, superviseServer } from './supervise.ts';
import { prepareTables } from './tables.ts';
import { startPubsub } from './pubsub/server.ts';
import { startStorage, storageRoot } from './storage/start.ts';
import { writeProfile } from './temporal/profile.ts';
import { startTemporal } from './temporal/start.ts';
import { webhookSecrets } from './webhook-secrets.ts';
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

/** Milliseconds after which a file of a Cloud Storage subscription is closed: Google's least is a minute, which nobody waits for here. */
const ARCHIVE_EVERY_MS = 2_000;

type Stoppable = { stop(): Promise<void> };

/** Starts servers and remembers how to stop them, the last one first. */
class Started {
  readonly #servers: Stoppable[] = [];
  #stopped = false;

  /** One that is there only after everything was stopped, since another one failed, is stopped at once. */
  async add<T extends Stoppable>(starting: Promise<T>): Promise<T> {
    const server = await starting;
    if (this.#stopped) await server.stop();
    else this.#servers.push(server);
    return server;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const server of this.#servers.splice(0).reverse()) await server.stop();
  }
}

async function common(options: CloudOptions): Promise<Record<string, string>> {
  const contractsDirectory = options.contractsDirectory ?? path.join(PROJECT, 'sources');
  return {
    CUPEL_PROJECT: PROJECT_ID,
    GOOGLE_CLOUD_PROJECT: PROJECT_ID, // else some of Google's clients ask the gcloud command, a second of CPU for each process
    CUPEL_REGION: REGION,
    CUPEL_BRONZE_BUCKET: BUCKETS.bronze,
    CUPEL_SILVER_BUCKET: BUCKETS.silver,
    CUPEL_OPS_BUCKET: BUCKETS.ops,
    CUPEL_QUARANTINE_BUCKET: BUCKETS.quarantine,
    CUPEL_INBOX_BUCKET: BUCKETS.inbox,
    CUPEL_RECORDS_TOPIC: TOPICS.records,
    CUPEL_NOTIFICATIONS_TOPIC: TOPICS.notifications,
    CUPEL_CONTROL_TOPIC: TOPICS.control,
    CUPEL_CONTROL_SUBSCRIPTION: CONTROL_SUBSCRIPTION,
    CUPEL_CATALOG_WAREHOUSE: WAREHOUSE,
    CUPEL_CATALOG_NAME: CATALOG,
    CUPEL_CONTRACTS_DIR: contractsDirectory,
    ...(await webhookSecrets(contractsDirectory)),
    CUPEL_POLL_INTERVAL_MS: '100',
    CUPEL_OPENLINEAGE_FILE: path.join(options.stateDirectory, 'lineage.ndjson'),
    TEMPORAL_NAMESPACE: NAMESPACE,
    ...(options.httpEndpoints
      ? { CUPEL_HTTP_ENDPOINTS: options.httpEndpoints, CUPEL_ALLOW_PRIVATE_ADDRESSES: '1' }
      : {}),
  };
}

function foldersOf({ stateDirectory }: CloudOptions): { stateDirectory: string; logDirectory: string } {
  return { stateDirectory, logDirectory: path.join(stateDirectory, 'logs') };
}

function portOf(port: number | undefined): { port?: number } {
  return port === undefined ? {} : { port };
}

async function startWorker(env: Record<string, string>, logDirectory: string): Promise<Stoppable> {
  const health = `127.0.0.1:${await freePort()}`;
  return superviseServer({
    name: 'worker',
    command: process.execPath,
    args: [path.join(PROJECT, 'src/worker.ts')],
    env: {
      ...env,
      CUPEL_WORKFLOW_BUNDLE: await workflowBundle(),
      CUPEL_HEALTH_ADDRESS: health,
      CUPEL_SHUTDOWN_GRACE_SECONDS: '2', // stop() waits for five
    },
    logFile: path.join(logDirectory, 'worker.log'),
    ready: async () => (await fetch(`http://${health}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok,
  });
}

const storageAt = (url: string): Storage => new Storage({ projectId: PROJECT_ID, apiEndpoint: url });

/** Pub/Sub, which writes to BigQuery and Cloud Storage, and is there before them: until they answer, its messages wait. */
function startMessages(options: CloudOptions, metadata: MetadataServer, storageUrl: string, bigqueryUrl: string) {
  return startPubsub({
    identityToken: metadata.identityToken,
    stateDirectory: path.join(options.stateDirectory, 'pubsub'),
    storage: storageAt(storageUrl),
    bigquery: new BigQuery({ projectId: PROJECT_ID, apiEndpoint: bigqueryUrl }),
    archiveEveryMs: ARCHIVE_EVERY_MS,
  });
}

/** Ports of servers that others have to know before they are there. */
interface Ports {
  storage: number;
  warehouse: number;
  catalog: number;
}

const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

async function choosePorts({ ports = {} }: CloudOptions): Promise<Ports> {
  const { storage = await freePort(), warehouse = await freePort(), catalog = await freePort() } = ports;
  return { storage, warehouse, catalog };
}

/** Identity, messages and objects: what everything else stands on. */
async function startFoundation(started: Started, options: CloudOptions, env: Record<string, string>, ports: Ports) {
  const metadata = await started.add(startMetadata({ projectId: PROJECT_ID }));
  Object.assign(env, { GCE_METADATA_HOST: metadata.host, METADATA_SERVER_DETECTION: 'assume-present' });
  // Pub/Sub's own clients of the others take their tokens there from the start.
  Object.assign(process.env, env);
  const pubsubServer = await started.add(
    startMessages(options, metadata, urlOf(ports.storage), urlOf(ports.warehouse)),
  );
  env.PUBSUB_EMULATOR_HOST = pubsubServer.endpoint;
  // Functions and our own clients run in this process and read its environment, as they do in the cloud.
  Object.assign(process.env, env);
  const pubsub = new PubSub({ projectId: PROJECT_ID });
  await started.add(Promise.resolve({ stop: () => pubsub.close() }));
  const storageServer = await started.add(
    startStorage({
      ...foldersOf(options),
      pubsubEndpoint: pubsubServer.endpoint,
      port: ports.storage,
      onRestart: (url) => notifyOfObjects(storageAt(url), pubsub),
    }),
  );
  env.CUPEL_STORAGE_ENDPOINT = storageServer.url;
  const storage = storageAt(storageServer.url);
  await provision(storage, pubsub);
  return { metadata, pubsub, store: new ObjectStore(storage) };
}

type Foundation = Awaited<ReturnType<typeof startFoundation>>;

/** The catalog and BigQuery, side by side and beside the foundation: they take longest, and need only addresses to start. */
async function startTables(
  started: Started,
  options: CloudOptions,
  env: Record<string, string>,
  ports: Ports,
): Promise<void> {
  const folders = foldersOf(options);
  const storageUrl = urlOf(ports.storage);
  const catalog = { name: CATALOG, uri: urlOf(ports.catalog), warehouse: WAREHOUSE };
  env.CUPEL_CATALOG_URI = catalog.uri;
  env.CUPEL_BIGQUERY_ENDPOINT = urlOf(ports.warehouse);
  await Promise.all([
    started.add(
      startCatalog({ ...folders, warehouse: WAREHOUSE, projectId: PROJECT_ID, storageUrl, port: ports.catalog }),
    ),
    started.add(
      startBigQuery({
        projectId: PROJECT_ID,
        logDirectory: folders.logDirectory,
        storageRoot: storageRoot(options.stateDirectory),
        // It survives the death of its process, as BigQuery's own would.
        stateDirectory: folders.stateDirectory,
        store: new ObjectStore(storageAt(storageUrl)),
        catalog,
        port: ports.warehouse,
      }),
    ),
  ]);
}

/** Dataform and Dataflow: what runs jobs. Jobs get the environment as it is when they start. */
async function startJobs(started: Started, options: CloudOptions, env: Record<string, string>, { store }: Foundation) {
  const { stateDirectory, logDirectory } = foldersOf(options);
  const dataform = await started.add(
    startDataform({
      projectDirectory: path.join(PROJECT, 'dataform'),
      workDirectory: path.join(stateDirectory, 'dataform'),
      projectId: PROJECT_ID,
      location: REGION,
      bigqueryUrl: env.CUPEL_BIGQUERY_ENDPOINT ?? '',
    }),
  );
  const dataflow = await started.add(
    startDataflow({
      readTemplate: async (uri) => (await store.read(uri)).toString('utf8'),
      commandFor: (image, parameters) => ({ ...jobCommand(image, parameters), env }),
      onProcess: noteJob,
      logDirectory,
      stateDirectory: path.join(stateDirectory, 'dataflow'),
    }),
  );
  env.CUPEL_DATAFORM_ENDPOINT = dataform.endpoint;
  env.CUPEL_DATAFLOW_ENDPOINT = dataflow.endpoint;
}

/** Programs by the image of their template. */
const PROGRAMS: Record<string, string> = { kappa: 'beam/main.ts', 'kappa-stream': 'beam/stream.ts' };

function jobCommand(image: string, parameters: Record<string, string>): { command: string; args: string[] } {
  const program = PROGRAMS[image];
  if (!program) throw new Error(`no such image: ${image}`);
  const given = Object.entries(parameters).map(([name, value]) => `--${name}=${value}`);
  return { command: process.execPath, args: [path.join(PROJECT, program), ...given] };
}

/** What comes second, once the first has come or has failed. */
async function after<T>(first: Promise<unknown>, second: Promise<T>): Promise<T> {
  await Promise.allSettled([first]);
  return second;
}

/** Functions, the events that call them, and the worker. */
async function startProduct(
  started: Started,
  options: CloudOptions,
  env: Record<string, string>,
  { metadata, pubsub }: Foundation,
  tables: Promise<void>,
) {
  Object.assign(process.env, env);
  const functions = await started.add(startFunctions((token, audience) => metadata.verify(token, audience)));
  env.CUPEL_FUNCTION_POLL_URL = functions.pollUrl;
  env.CUPEL_FUNCTION_ON_FINALIZE_URL = functions.onFinalizeUrl;
  env.CUPEL_FUNCTION_TRIGGER_URL = functions.triggerUrl;
  env.CUPEL_FUNCTION_INGEST_URL = functions.ingestUrl;
  const events = {
    pubsub,
    topic: TOPICS.finalized,
    subscription: 'eventarc-on-finalize',
    functionUrl: functions.onFinalizeUrl,
    identityToken: metadata.identityToken,
    // The function gathers arrivals that come together into one insert.
    atOnce: 32,
  };
  await Promise.all([
    started.add(startEventarc(events)),
    // It stops before the tables do.
    started.add(after(tables, startWorker(env, foldersOf(options).logDirectory))),
    tables
      .then(() => prepareTables(env, path.join(options.stateDirectory, 'bigquery')))
      .then((contracts) => provisionSubscriptions(pubsub, PROJECT_ID, contracts)),
  ]);
}

async function startAll(started: Started, options: CloudOptions): Promise<Omit<Cloud, 'stop'>> {
  const folders = foldersOf(options);
  await mkdir(folders.logDirectory, { recursive: true });
  const env = await common(options);
  const ports = await choosePorts(options);
  const slow = Promise.all([
    workflowBundle(),
    started.add(
      startTemporal({
        ...folders,
        namespace: NAMESPACE,
        ...portOf(options.ports?.temporal),
        ...(options.ports?.temporalUi ? { uiPort: options.ports.temporalUi } : {}),
      }),
    ),
  ]);
  const tables = startTables(started, options, env, ports);
  for (const starting of [slow, tables]) starting.catch(() => undefined); // awaited below; a failure in between must not go unhandled
  const foundation = await startFoundation(started, options, env, ports);
  await startJobs(started, options, env, foundation);
  const [, temporal] = await slow;
  Object.assign(env, await writeProfile(options.stateDirectory, { address: temporal.address, namespace: NAMESPACE }));
  await startProduct(started, options, env, foundation, tables);
  const [storage, catalog, warehouse] = [urlOf(ports.storage), urlOf(ports.catalog), urlOf(ports.warehouse)];
  return { env, urls: { temporal: temporal.uiUrl, storage, catalog, warehouse } };
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
