import { storageClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import type { CommitterResources } from '../../src/lakehouse/committer/index.ts';
import { DeltaStore } from '../../src/lakehouse/deltas/index.ts';
import { RestCatalog } from '../../src/lakehouse/iceberg/index.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';

/** What the committer works with, from the environment; the local catalog asks for no token. */
export async function committerResources(): Promise<CommitterResources> {
  const environment = readEnvironment();
  const store = new ObjectStore(await storageClient(environment));
  const { uri, warehouse } = environment.catalog;
  return {
    catalog: new RestCatalog({ uri, warehouse }),
    store,
    deltas: new DeltaStore(store, environment.buckets.ops),
    silverBucket: environment.buckets.silver,
  };
}
