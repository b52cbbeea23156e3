import { createServer } from 'node:http';
import { pubsubClient, storageClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { readyOnce } from '../../src/gcp/ready.ts';
import { recordPublisher } from '../../src/ingest/record-publisher.ts';
import { ingestHandler } from '../../src/ingest/webhook/index.ts';
import type { IngestResources } from '../../src/ingest/webhook/index.ts';
import { ContractCache } from '../../src/lakehouse/contract-cache.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';

async function prepare(): Promise<IngestResources> {
  const environment = readEnvironment();
  const store = new ObjectStore(await storageClient(environment));
  const contracts = new ContractCache(store, environment.buckets.ops);
  return {
    store,
    bronzeBucket: environment.buckets.bronze,
    opsBucket: environment.buckets.ops,
    publisher: recordPublisher(await pubsubClient(environment), environment.recordsTopic),
    contractOf: (source) => contracts.newest(source),
    env: process.env,
    unpublished: (reason) =>
      console.error(JSON.stringify({ severity: 'WARNING', message: 'not published', ...reason })),
  };
}

const resources = readyOnce(prepare);

/**
 * Function `ingest`, as a server of its own on Cloud Run: the functions framework would decompress a body of any size and parse it
 * before it could be refused, and would answer in HTML where that fails.
 */
export const server = createServer((request, response) => void ingestHandler(resources)(request, response));

if (import.meta.main) server.listen(Number(process.env.PORT ?? 8080));
