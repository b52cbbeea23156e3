import { cupelError } from '../errors.ts';

/** Where everything is. Read from the environment once, at the start of a process. */
export interface CupelEnvironment {
  /** What this installation of Cupel is called among others of one Temporal namespace. `CUPEL_ENVIRONMENT`, default the project. */
  name: string;
  /** Google Cloud project. `CUPEL_PROJECT`, else `GOOGLE_CLOUD_PROJECT`; required. */
  project: string;
  /** Region of Dataflow and Dataform. `CUPEL_REGION`, default us-central1. */
  region: string;
  buckets: {
    /** `CUPEL_BRONZE_BUCKET`, default `<project>-bronze`. May be locked: nothing in it is changed. */
    bronze: string;
    /** `CUPEL_SILVER_BUCKET`, default `<project>-silver`: the warehouse of the Iceberg catalog. */
    silver: string;
    /** `CUPEL_OPS_BUCKET`, default `<project>-ops`: contracts, chunks, deltas, markers. */
    ops: string;
    /** `CUPEL_QUARANTINE_BUCKET`, default `<project>-quarantine`. */
    quarantine: string;
    /** `CUPEL_INBOX_BUCKET`, default `<project>-inbox`: where others drop files. */
    inbox: string;
  };
  /** Endpoints that are not Google's own. Unset: Google's. */
  endpoints: {
    /** `CUPEL_STORAGE_ENDPOINT`, a URL. */
    storage?: string;
    /** `CUPEL_BIGQUERY_ENDPOINT`, a URL. */
    bigquery?: string;
    /** `CUPEL_DATAFLOW_ENDPOINT`, host:port, gRPC in plain text. */
    dataflow?: string;
    /** `CUPEL_DATAFORM_ENDPOINT`, host:port, gRPC in plain text. */
    dataform?: string;
  };
  catalog: {
    /** Iceberg REST catalog: what precedes `/v1/config`. `CUPEL_CATALOG_URI`, default BigLake's. */
    uri: string;
    /** `CUPEL_CATALOG_WAREHOUSE`, default `gs://<silver bucket>`. */
    warehouse: string;
    /** The catalog's part of BigQuery's four-part name. `CUPEL_CATALOG_NAME`, default the silver bucket, as BigLake names it. */
    name: string;
  };
  /** Flex Template of the Kappa job. `CUPEL_DATAFLOW_TEMPLATE`, default `gs://<ops bucket>/templates/kappa.json`. */
  dataflowTemplate: string;
  /** Flex Template of the streaming job. `CUPEL_DATAFLOW_STREAM_TEMPLATE`, default `gs://<ops bucket>/templates/kappa-stream.json`. */
  dataflowStreamTemplate: string;
  /** `CUPEL_DATAFORM_REPOSITORY`, default `projects/<project>/locations/<region>/repositories/cupel`. */
  dataformRepository: string;
  /** `CUPEL_FUNCTION_POLL_URL`; needed by the worker only. */
  pollFunctionUrl: string;
  /** Topic of the records. `CUPEL_RECORDS_TOPIC`, default cupel-records. */
  recordsTopic: string;
  /** Topic by which others have workflows started. `CUPEL_CONTROL_TOPIC`, default cupel-control; needed by the function `trigger` only. */
  controlTopic: string;
  /** Topic that tells people of failures and recoveries. `CUPEL_NOTIFICATIONS_TOPIC`, default cupel-notifications. */
  notificationsTopic: string;
  /**
   * Receiver of the same notifications. `CUPEL_WEBHOOK_URL`, default none; and the secret that they are signed with,
   * `CUPEL_WEBHOOK_SECRET`: base64 behind `whsec_`, or any text. Both may come from Secret Manager as environment.
   */
  webhook?: { url: string; secret: string };
  /** Where lineage is told. Default: nowhere (docs/lineage.md). */
  lineage?: LineageSettings;
  /** Most bytes that one night's Gold may read, by dry run. `CUPEL_GOLD_MAX_BYTES`, default 1 TiB. */
  goldMaxBytes: number;
  /** Milliseconds between two looks at a remote job. `CUPEL_POLL_INTERVAL_MS`, default 10,000, as Airflow's operators do. */
  pollIntervalMs: number;
  /** Prices that plans are estimated with. `CUPEL_PRICES_FILE`, default prices.yaml. */
  pricesFile: string;
  /** Dataflow jobs that may run at once in project and region. `CUPEL_DATAFLOW_JOB_QUOTA`, default 25, as Google grants. */
  dataflowJobQuota: number;
  /** When things run. `CUPEL_SCHEDULES_FILE`, default schedules.yaml. */
  schedulesFile: string;
  /** Folder with the contracts. `CUPEL_CONTRACTS_DIR`, default sources. */
  contractsDirectory: string;
}

/** Where and how OpenLineage's events go; at least one of file and server. */
export interface LineageSettings {
  /** Namespace of jobs. `CUPEL_OPENLINEAGE_NAMESPACE`, default the environment's name. */
  namespace: string;
  /** `CUPEL_OPENLINEAGE_FILE`: events are appended, one a line. */
  file?: string;
  http?: {
    /** `CUPEL_OPENLINEAGE_URL`, of the server. */
    url: string;
    /** `CUPEL_OPENLINEAGE_ENDPOINT`, default `api/v1/lineage`. */
    endpoint: string;
    /** `CUPEL_OPENLINEAGE_API_KEY`, a bearer token; may come from Secret Manager as environment. */
    apiKey?: string;
    /** `CUPEL_OPENLINEAGE_TIMEOUT_MS`, of one request, default 5,000. */
    timeoutMs: number;
  };
}

type Variables = Record<string, string | undefined>;

function positiveInteger(env: Variables, name: string, fallback: number): number {
  const text = env[name];
  if (!text) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0)
    throw cupelError('CUP_ENVIRONMENT_INVALID', { variable: name, expected: 'a whole number above 0' });
  return value;
}

function endpoints(env: Variables): CupelEnvironment['endpoints'] {
  return {
    ...(env.CUPEL_STORAGE_ENDPOINT ? { storage: env.CUPEL_STORAGE_ENDPOINT } : {}),
    ...(env.CUPEL_BIGQUERY_ENDPOINT ? { bigquery: env.CUPEL_BIGQUERY_ENDPOINT } : {}),
    ...(env.CUPEL_DATAFLOW_ENDPOINT ? { dataflow: env.CUPEL_DATAFLOW_ENDPOINT } : {}),
    ...(env.CUPEL_DATAFORM_ENDPOINT ? { dataform: env.CUPEL_DATAFORM_ENDPOINT } : {}),
  };
}

function webhook(env: Variables): Pick<CupelEnvironment, 'webhook'> {
  const { CUPEL_WEBHOOK_URL: url, CUPEL_WEBHOOK_SECRET: secret } = env;
  if (!url) return {};
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw cupelError('CUP_ENVIRONMENT_INVALID', { variable: 'CUPEL_WEBHOOK_URL', expected: 'a URL' });
  if (!secret)
    throw cupelError('CUP_ENVIRONMENT_INVALID', {
      variable: 'CUPEL_WEBHOOK_SECRET',
      expected: 'the secret that messages to CUPEL_WEBHOOK_URL are signed with',
    });
  return { webhook: { url, secret } };
}

function lineage(env: Variables, name: string): Pick<CupelEnvironment, 'lineage'> {
  const { CUPEL_OPENLINEAGE_URL: url, CUPEL_OPENLINEAGE_FILE: file, CUPEL_OPENLINEAGE_API_KEY: apiKey } = env;
  if (!url && !file) return {};
  if (url && (!URL.canParse(url) || !/^https?:/.test(url)))
    throw cupelError('CUP_ENVIRONMENT_INVALID', { variable: 'CUPEL_OPENLINEAGE_URL', expected: 'a URL' });
  const http = url && {
    url,
    endpoint: env.CUPEL_OPENLINEAGE_ENDPOINT || 'api/v1/lineage',
    timeoutMs: positiveInteger(env, 'CUPEL_OPENLINEAGE_TIMEOUT_MS', 5_000),
    ...(apiKey ? { apiKey } : {}),
  };
  const namespace = env.CUPEL_OPENLINEAGE_NAMESPACE || name;
  return { lineage: { namespace, ...(file ? { file } : {}), ...(http ? { http } : {}) } };
}

/**
 * Reads the environment of a process.
 *
 * @throws CupelError CUP_ENVIRONMENT_INVALID naming the variable
 */
export function readEnvironment(env: Variables = process.env): CupelEnvironment {
  const project = env.CUPEL_PROJECT || env.GOOGLE_CLOUD_PROJECT;
  if (!project)
    throw cupelError('CUP_ENVIRONMENT_INVALID', { variable: 'CUPEL_PROJECT', expected: 'the Google Cloud project' });
  const region = env.CUPEL_REGION || 'us-central1';
  const buckets = {
    bronze: env.CUPEL_BRONZE_BUCKET || `${project}-bronze`,
    silver: env.CUPEL_SILVER_BUCKET || `${project}-silver`,
    ops: env.CUPEL_OPS_BUCKET || `${project}-ops`,
    quarantine: env.CUPEL_QUARANTINE_BUCKET || `${project}-quarantine`,
    inbox: env.CUPEL_INBOX_BUCKET || `${project}-inbox`,
  };
  return {
    name: env.CUPEL_ENVIRONMENT || project,
    project,
    region,
    buckets,
    endpoints: endpoints(env),
    catalog: {
      uri: env.CUPEL_CATALOG_URI || 'https://biglake.googleapis.com/iceberg/v1/restcatalog',
      warehouse: env.CUPEL_CATALOG_WAREHOUSE || `gs://${buckets.silver}`,
      name: env.CUPEL_CATALOG_NAME || buckets.silver,
    },
    dataflowTemplate: env.CUPEL_DATAFLOW_TEMPLATE || `gs://${buckets.ops}/templates/kappa.json`,
    dataflowStreamTemplate: env.CUPEL_DATAFLOW_STREAM_TEMPLATE || `gs://${buckets.ops}/templates/kappa-stream.json`,
    dataformRepository: env.CUPEL_DATAFORM_REPOSITORY || `projects/${project}/locations/${region}/repositories/cupel`,
    pollFunctionUrl: env.CUPEL_FUNCTION_POLL_URL || '',
    recordsTopic: env.CUPEL_RECORDS_TOPIC || 'cupel-records',
    controlTopic: env.CUPEL_CONTROL_TOPIC || 'cupel-control',
    notificationsTopic: env.CUPEL_NOTIFICATIONS_TOPIC || 'cupel-notifications',
    ...webhook(env),
    ...lineage(env, env.CUPEL_ENVIRONMENT || project),
    goldMaxBytes: positiveInteger(env, 'CUPEL_GOLD_MAX_BYTES', 2 ** 40),
    pollIntervalMs: positiveInteger(env, 'CUPEL_POLL_INTERVAL_MS', 10_000),
    pricesFile: env.CUPEL_PRICES_FILE || 'prices.yaml',
    dataflowJobQuota: positiveInteger(env, 'CUPEL_DATAFLOW_JOB_QUOTA', 25),
    schedulesFile: env.CUPEL_SCHEDULES_FILE || 'schedules.yaml',
    contractsDirectory: env.CUPEL_CONTRACTS_DIR || 'sources',
  };
}
