import type { PubSub } from '@google-cloud/pubsub';
import type { Client } from '@temporalio/client';
import {
  bigqueryClient,
  dataflowClients,
  dataformClient,
  functionCaller,
  pubsubClient,
  restCatalog,
  storageClient,
} from '../gcp/clients.ts';
import type { FunctionCaller } from '../gcp/clients.ts';
import type { CupelEnvironment } from '../gcp/env.ts';
import { cupelError } from '../errors.ts';
import { DeltaStore } from '../lakehouse/deltas/index.ts';
import { Ledger } from '../lakehouse/ledger/index.ts';
import { ObjectStore } from '../lakehouse/object-store.ts';
import type { ActivityResources } from './resources.ts';

/** Milliseconds until a call of the poll function counts as unanswered: its own fetch has 20 s. */
const POLL_TIMEOUT_MS = 60_000;

/** The client is made at the first call, so that a worker without a function's URL can do everything else. */
function lazyCaller(url: string): FunctionCaller {
  let caller: Promise<FunctionCaller> | undefined;
  return async (body, headers) => {
    if (!url)
      throw cupelError('CUP_ENVIRONMENT_INVALID', {
        variable: 'CUPEL_FUNCTION_POLL_URL',
        expected: 'the URL of the function poll',
      });
    return (await (caller ??= functionCaller(url, POLL_TIMEOUT_MS)))(body, headers);
  };
}

/** A client that is made at the first call. */
function lazyPubsub(environment: CupelEnvironment): () => Promise<PubSub> {
  let client: Promise<PubSub> | undefined;
  return () => (client ??= pubsubClient(environment));
}

/** Makes the clients that activities work with. */
export async function connectResources(environment: CupelEnvironment, temporal: Client): Promise<ActivityResources> {
  const [storage, bigquery, dataflow, dataform, catalog] = await Promise.all([
    storageClient(environment),
    bigqueryClient(environment),
    dataflowClients(environment),
    dataformClient(environment),
    restCatalog(environment),
  ]);
  const store = new ObjectStore(storage);
  return {
    environment,
    store,
    deltas: new DeltaStore(store, environment.buckets.ops),
    catalog,
    silverBucket: environment.buckets.silver,
    ledger: new Ledger(bigquery),
    bigquery,
    dataflow,
    dataform,
    callPoll: lazyCaller(environment.pollFunctionUrl),
    pubsub: lazyPubsub(environment),
    temporal,
    now: () => Date.now(),
  };
}
