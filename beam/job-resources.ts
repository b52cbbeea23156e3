import { cupelError } from '../src/errors.ts';
import { storageClient } from '../src/gcp/clients.ts';
import { readEnvironment } from '../src/gcp/env.ts';
import { readContract } from '../src/lakehouse/contract-store.ts';
import { DeltaStore } from '../src/lakehouse/deltas/index.ts';
import { ObjectStore } from '../src/lakehouse/object-store.ts';
import type { JobParameters } from './threads/messages.ts';

/**
 * Opens what a job works with, from its parameters and the environment: every thread and every step does so for itself,
 * since nothing of it can be sent.
 *
 * @throws CupelError CUP_CONTRACT_INVALID when the contract is not the one that the chunk was made with
 */
export async function openJob(parameters: Pick<JobParameters, 'chunk' | 'contract'>) {
  const environment = readEnvironment();
  const store = new ObjectStore(await storageClient(environment));
  const deltas = new DeltaStore(store, environment.buckets.ops);
  const [contract, chunk] = await Promise.all([
    readContract(store, parameters.contract),
    deltas.readChunk(parameters.chunk),
  ]);
  if (chunk.contractHash !== contract.hash) {
    throw cupelError('CUP_CONTRACT_INVALID', { expected: chunk.contractHash, found: contract.hash });
  }
  return { environment, store, deltas, contract, chunk };
}
