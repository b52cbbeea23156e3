import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Storage } from '@google-cloud/storage';
import { startCatalog } from '../../local/catalog/start.ts';
import { startStorage } from '../../local/storage/start.ts';
import type { CommitterResources } from '../../src/lakehouse/committer/index.ts';
import { DeltaStore } from '../../src/lakehouse/deltas/index.ts';
import { RestCatalog } from '../../src/lakehouse/iceberg/index.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';

/** A real Cloud Storage server and a real Iceberg REST catalog on a fresh folder. */
export interface Lake extends CommitterResources {
  directory: string;
  storageUrl: string;
  storageRoot: string;
  catalogUrl: string;
  stop(): Promise<void>;
}

const PROJECT = 'cupel-test';

/** Starts the two servers that Silver needs, with the four buckets. */
export async function startLake(): Promise<Lake> {
  const directory = await mkdtemp(path.join(tmpdir(), 'cupel-test-'));
  const folders = { stateDirectory: directory, logDirectory: path.join(directory, 'logs') };
  const storageServer = await startStorage(folders);
  const storage = new Storage({ projectId: PROJECT, apiEndpoint: storageServer.url });
  for (const name of ['bronze', 'silver', 'ops', 'quarantine']) await storage.createBucket(`cupel-${name}`);
  const catalogServer = await startCatalog({
    ...folders,
    warehouse: 'gs://cupel-silver',
    projectId: PROJECT,
    storageUrl: storageServer.url,
  });
  const store = new ObjectStore(storage);
  return {
    directory,
    storageUrl: storageServer.url,
    storageRoot: storageServer.root,
    catalogUrl: catalogServer.url,
    store,
    catalog: new RestCatalog({ uri: catalogServer.url, warehouse: 'gs://cupel-silver' }),
    deltas: new DeltaStore(store, 'cupel-ops'),
    silverBucket: 'cupel-silver',
    async stop() {
      await Promise.all([catalogServer.stop(), storageServer.stop()]);
      await rm(directory, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}
