import { cupelError } from '../src/errors.ts';
import { storageClient } from '../src/gcp/clients.ts';
import { readEnvironment } from '../src/gcp/env.ts';
import { readContract } from '../src/lakehouse/contract-store.ts';
import { DeltaStore } from '../src/lakehouse/deltas/index.ts';
import { ObjectStore } from '../src/lakehouse/object-store.ts';
import type { JobParameters } from './threads/messages.ts';

/** Opens what every thread works with: each does so for itself, since nothing of it can be sent. */
export async function openContract(uri: string) {
  const environment = readEnvironment();
  const store = new ObjectStore(await storageClient(environment));
  const deltas = new DeltaStore(store, environment.buckets.ops);
  return { environment, store, deltas, contract: await readContract(store, uri) };
}

/** What works with one contract. */
export type ContractResources = Awaited<ReturnType<typeof openContract>>;

const opened = new Map<string, Promise<ContractResources>>();

/** The same, opened once per process: a stream makes batch after batch with it. */
export function contractResources(uri: string): Promise<ContractResources> {
  const known = opened.get(uri);
  if (known) return known;
  const opening = openContract(uri);
  opened.set(uri, opening);
  opening.catch(() => opened.delete(uri)); // the next call tries again
  return opening;
}

/**
 * Opens what a step of a job works with, from its parameters and the environment.
 *
 * @throws CupelError CUP_CONTRACT_INVALID when the contract is not the one that the chunk was made with
 */
export async function openJob(parameters: Pick<JobParameters, 'chunk' | 'contract'>) {
  const resources = await contractResources(parameters.contract);
  const { chunk: given } = parameters;
  const chunk = typeof given === 'string' ? await resources.deltas.readChunk(given) : given;
  if (chunk.contractHash !== resources.contract.hash) {
    throw cupelError('CUP_CONTRACT_INVALID', { expected: chunk.contractHash, found: resources.contract.hash });
  }
  return { ...resources, chunk };
}
