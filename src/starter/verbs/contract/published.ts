import { withFields } from '../../../contracts/index.ts';
import type { CompiledContract } from '../../../contracts/index.ts';
import { storageClient } from '../../../gcp/clients.ts';
import { readEnvironment } from '../../../gcp/env.ts';
import { contractUri, readContract } from '../../../lakehouse/contract-store.ts';
import { ObjectStore } from '../../../lakehouse/object-store.ts';
import { publishedContract, readPublication } from '../../../lakehouse/published-contract.ts';
import type { PublicationStore } from '../../../lakehouse/published-contract.ts';

/** What is compared; `from` is undefined where nothing is published yet. */
export interface Compared {
  from: CompiledContract | undefined;
  to: CompiledContract;
}

/** Where the environment keeps publications. */
export async function publications(): Promise<PublicationStore> {
  const environment = readEnvironment();
  return { store: new ObjectStore(await storageClient(environment)), opsBucket: environment.buckets.ops };
}

/** The file, with the fields that were taken up meanwhile, and the contract in force or the one of a hash. */
export async function withPublished(where: PublicationStore, file: CompiledContract, hash?: string): Promise<Compared> {
  const { evolved = [] } = (await readPublication(where, file.source)) ?? {};
  const from =
    hash === undefined
      ? await publishedContract(where, file.source)
      : await readContract(where.store, contractUri(where.opsBucket, file.source, hash));
  return { from, to: withFields(file, evolved) };
}
