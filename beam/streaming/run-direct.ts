import { pubsubClient } from '../../src/gcp/clients.ts';
import { StreamLog } from '../../src/lakehouse/streams/index.ts';
import { openContract } from '../job-resources.ts';
import { Stream } from './run-stream.ts';
import type { StreamParameters } from './run-stream.ts';

/**
 * Runs a stream in this process: bounded reads of the subscription.
 *
 * @param drained ends it after the batch in work; asking for it again changes nothing
 * @throws whatever ends a batch
 */
export async function runDirect(given: StreamParameters, drained: AbortSignal): Promise<void> {
  const resources = await openContract(given.contract);
  const { store, environment, contract } = resources;
  const pubsub = await pubsubClient(environment);
  const log = new StreamLog(store, environment.buckets.ops, contract.source);
  const stream = new Stream(given, { ...resources, pubsub, log }, drained);
  try {
    await stream.run();
  } finally {
    await pubsub.close();
  }
}
