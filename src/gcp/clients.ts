import { EventEmitter } from 'node:events';
import type { BigQuery } from '@google-cloud/bigquery';
import type {
  FlexTemplatesServiceClient,
  JobsV1Beta3Client,
  MessagesV1Beta3Client,
  MetricsV1Beta3Client,
} from '@google-cloud/dataflow';
import type { v1 } from '@google-cloud/dataform';
import type { PubSub } from '@google-cloud/pubsub';
import type { Storage } from '@google-cloud/storage';
import { RestCatalog } from '../lakehouse/iceberg/index.ts';
import { Crc32c } from './crc32c.ts';
import type { CupelEnvironment } from './env.ts';

// Each client's package is loaded by the function that makes it: a process pays only for what it uses.

/** Listeners that a download of the storage client hangs on one stream: one more than Node's default warns of a leak. */
const STREAM_LISTENERS = 20;

/** Client of Cloud Storage. */
export async function storageClient(environment: CupelEnvironment): Promise<Storage> {
  EventEmitter.defaultMaxListeners = Math.max(EventEmitter.defaultMaxListeners, STREAM_LISTENERS);
  const { Storage } = await import('@google-cloud/storage');
  const { storage } = environment.endpoints;
  return new Storage({
    projectId: environment.project,
    crc32cGenerator: () => new Crc32c(),
    ...(storage ? { apiEndpoint: storage } : {}),
  });
}

/** Client of BigQuery. */
export async function bigqueryClient(environment: CupelEnvironment): Promise<BigQuery> {
  const { BigQuery } = await import('@google-cloud/bigquery');
  const { bigquery } = environment.endpoints;
  return new BigQuery({ projectId: environment.project, ...(bigquery ? { apiEndpoint: bigquery } : {}) });
}

/** Client of Pub/Sub; `PUBSUB_EMULATOR_HOST` is read by the client itself. */
export async function pubsubClient(environment: CupelEnvironment): Promise<PubSub> {
  const { PubSub } = await import('@google-cloud/pubsub');
  return new PubSub({ projectId: environment.project });
}

/** Options of a gRPC client: Google's endpoint with TLS and application default credentials, or the one given, in plain text. */
async function grpcOptions(endpoint: string | undefined): Promise<Record<string, unknown>> {
  if (!endpoint) return {};
  const [apiEndpoint, port] = endpoint.split(':');
  const { grpc, googleAuthLibrary } = await import('google-gax');
  const authClient = new googleAuthLibrary.PassThroughClient();
  return { apiEndpoint, port: Number(port), sslCreds: grpc.credentials.createInsecure(), authClient };
}

/** The four clients of the Dataflow API that Cupel uses. */
export interface DataflowClients {
  templates: FlexTemplatesServiceClient;
  jobs: JobsV1Beta3Client;
  messages: MessagesV1Beta3Client;
  metrics: MetricsV1Beta3Client;
}

/** Clients of Dataflow. */
export async function dataflowClients(environment: CupelEnvironment): Promise<DataflowClients> {
  const api = await import('@google-cloud/dataflow');
  const options = { projectId: environment.project, ...(await grpcOptions(environment.endpoints.dataflow)) };
  return {
    templates: new api.FlexTemplatesServiceClient(options),
    jobs: new api.JobsV1Beta3Client(options),
    messages: new api.MessagesV1Beta3Client(options),
    metrics: new api.MetricsV1Beta3Client(options),
  };
}

/** Client of Dataform: `v1`, since the package's default export is still v1beta1. */
export async function dataformClient(environment: CupelEnvironment): Promise<v1.DataformClient> {
  const { v1: api } = await import('@google-cloud/dataform');
  return new api.DataformClient({
    projectId: environment.project,
    ...(await grpcOptions(environment.endpoints.dataform)),
  });
}

/** Sends a JSON body with an ID token whose audience is the function's URL. */
export type FunctionCaller = (
  body: unknown,
  headers?: Record<string, string>,
) => Promise<{ status: number; body: unknown }>;

/**
 * Makes a caller of one Cloud Function. The token comes from application default credentials.
 *
 * @param timeoutMs until a call counts as unanswered
 */
export async function functionCaller(url: string, timeoutMs: number): Promise<FunctionCaller> {
  const { GoogleAuth } = await import('google-auth-library');
  const client = await new GoogleAuth().getIdTokenClient(url);
  return async (body, headers = {}) => {
    const auth = await client.getRequestHeaders(url);
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...Object.fromEntries(auth.entries()), 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    return { status: response.status, body: parseBody(text) };
  };
}

function parseBody(text: string): unknown {
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return { message: text.slice(0, 500) }; // a proxy's HTML, say
  }
}

/** Client of the Iceberg REST catalog, with the token that BigLake asks for. */
export async function restCatalog(environment: CupelEnvironment): Promise<RestCatalog> {
  const { GoogleAuth } = await import('google-auth-library');
  const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] });
  return new RestCatalog({
    uri: environment.catalog.uri,
    warehouse: environment.catalog.warehouse,
    headers: async () => ({
      authorization: `Bearer ${(await auth.getAccessToken()) ?? ''}`,
      'x-goog-user-project': environment.project,
    }),
  });
}
