import { cloudEvent } from '@google-cloud/functions-framework';
import type { CloudEvent } from '@google-cloud/functions-framework';
import type { Topic } from '@google-cloud/pubsub';
import { cupelError } from '../../src/errors.ts';
import { bigqueryClient, pubsubClient, storageClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { readyOnce } from '../../src/gcp/ready.ts';
import { EventBatcher } from '../../src/ingest/event-batcher.ts';
import { registerArrival } from '../../src/ingest/register-arrival.ts';
import type { ArrivalResources, FinalizedObject } from '../../src/ingest/register-arrival.ts';
import { ContractCache } from '../../src/lakehouse/contract-cache.ts';
import { Ledger } from '../../src/lakehouse/ledger/index.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';

const TYPE = 'google.cloud.storage.object.v1.finalized';

interface Resources extends ArrivalResources {
  inboxBucket: string;
  control: Topic;
}

async function prepare(): Promise<Resources> {
  const environment = readEnvironment();
  const store = new ObjectStore(await storageClient(environment));
  const contracts = new ContractCache(store, environment.buckets.ops);
  const events = new EventBatcher(new Ledger(await bigqueryClient(environment)));
  const control = (await pubsubClient(environment)).topic(environment.controlTopic);
  const contractOf: ArrivalResources['contractOf'] = (source) => contracts.newest(source);
  return { store, events, contractOf, inboxBucket: environment.buckets.inbox, control };
}

const connect = readyOnce(prepare);

function readObject(event: CloudEvent<unknown>): FinalizedObject {
  const data = (event.data ?? {}) as Record<string, unknown>;
  const { bucket, name, generation } = data;
  // A request without CloudEvent headers reaches a function with no data at all.
  if (event.type !== TYPE || typeof bucket !== 'string' || typeof name !== 'string' || !generation) {
    throw cupelError('CUP_REQUEST_INVALID', {
      expected: `a CloudEvent ${TYPE} with bucket, name and generation`,
      found: event.type,
    });
  }
  return { bucket, name, generation: String(generation) };
}

/**
 * Cloud Function `on-finalize`: an object was written. One of Bronze is checked and registered; for one of the inbox, the worker is
 * asked by the control topic to take it. What it throws makes Eventarc deliver again.
 */
async function onFinalize(event: CloudEvent<unknown>): Promise<void> {
  const object = readObject(event);
  const resources = await connect();
  if (object.bucket !== resources.inboxBucket) await registerArrival(resources, object);
  else if (!object.name.endsWith('/')) await resources.control.publishMessage({ json: { kind: 'file', ...object } });
}

cloudEvent('on-finalize', onFinalize);
