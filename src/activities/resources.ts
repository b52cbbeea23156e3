import type { Client } from '@temporalio/client';
import type { BigQuery } from '@google-cloud/bigquery';
import type { v1 } from '@google-cloud/dataform';
import type { PubSub } from '@google-cloud/pubsub';
import type { DataflowClients, FunctionCaller } from '../gcp/clients.ts';
import type { CupelEnvironment } from '../gcp/env.ts';
import type { DeltaStore } from '../lakehouse/deltas/index.ts';
import type { RestCatalog } from '../lakehouse/iceberg/index.ts';
import type { Ledger } from '../lakehouse/ledger/index.ts';
import type { ObjectStore } from '../lakehouse/object-store.ts';
import type { LineageEmitter } from '../lineage/index.ts';

/** Everything that activities reach the outside with; tests give their own. */
export interface ActivityResources {
  environment: CupelEnvironment;
  store: ObjectStore;
  deltas: DeltaStore;
  catalog: RestCatalog;
  /** Bucket of Silver's logs. */
  silverBucket: string;
  ledger: Ledger;
  bigquery: BigQuery;
  dataflow: DataflowClients;
  dataform: v1.DataformClient;
  callPoll: FunctionCaller;
  /** Made at the first call: most processes publish nothing. */
  pubsub(): Promise<PubSub>;
  temporal: Client;
  /** Default: lineage is told nobody. */
  lineage?: LineageEmitter;
  now(): number;
}
