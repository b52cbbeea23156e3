import { http } from '@google-cloud/functions-framework';
import type { Request, Response } from '@google-cloud/functions-framework';
import { CupelError, cupelError } from '../../src/errors.ts';
import { pubsubClient, storageClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { readyOnce } from '../../src/gcp/ready.ts';
import { fetchSettings } from '../../src/ingest/fetch-settings.ts';
import { pollFeed } from '../../src/ingest/poll.ts';
import type { PollRequest, PollResources } from '../../src/ingest/poll.ts';
import { recordPublisher } from '../../src/ingest/record-publisher.ts';
import { ContractCache } from '../../src/lakehouse/contract-cache.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';

interface Ready extends PollResources {
  contracts: ContractCache;
}

async function prepare(): Promise<Ready> {
  const environment = readEnvironment();
  const store = new ObjectStore(await storageClient(environment));
  return {
    store,
    bronzeBucket: environment.buckets.bronze,
    opsBucket: environment.buckets.ops,
    publisher: recordPublisher(await pubsubClient(environment), environment.recordsTopic),
    fetch: fetchSettings(process.env),
    contracts: new ContractCache(store, environment.buckets.ops),
  };
}

const resources = readyOnce(prepare);

function readRequest(body: unknown): PollRequest {
  const request = (body ?? {}) as Partial<PollRequest>;
  for (const name of ['source', 'feed', 'nominalTime', 'contractHash'] as const) {
    if (typeof request[name] !== 'string') throw cupelError('CUP_REQUEST_INVALID', { expected: `a text for ${name}` });
  }
  return request as PollRequest;
}

/** Cloud Function `poll`: POST a PollRequest, get a PollResult. 4xx: no use to try again; 5xx: try later. */
async function poll(request: Request, response: Response): Promise<void> {
  try {
    const ready = await resources();
    const asked = readRequest(request.body);
    const contract = await ready.contracts.get(asked.source, asked.contractHash);
    response.json(await pollFeed(ready, contract, asked));
  } catch (error) {
    if (!(error instanceof CupelError)) throw error;
    response.status(error.retryable ? 503 : 400).json({ code: error.code, message: error.message });
  }
}

http('poll', poll);
