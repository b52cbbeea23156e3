import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { BUCKETS } from '../local/buckets.ts';
import { startCatalog } from '../local/catalog/start.ts';
import { startStorage } from '../local/storage/start.ts';
import { ensureTools } from '../scripts/tools.ts';
import { contractUri, loadContract } from '../src/lakehouse/contract-store.ts';
import { admitContract } from '../src/lakehouse/published-contract.ts';
import type { CompiledContract } from '../src/contracts/index.ts';
import { storageClient } from '../src/gcp/clients.ts';
import { readEnvironment } from '../src/gcp/env.ts';
import { DeltaStore } from '../src/lakehouse/deltas/index.ts';
import { ObjectStore } from '../src/lakehouse/object-store.ts';
import { ProcessGroup } from './meter/process-group.ts';
import { COMMON } from './temporal/setting.ts';

/** The stand-ins for the services that a lakehouse rests on, and what a benchmark prepares its input with. */
export interface BenchLake {
  /** Their processes: measured, and shown apart. */
  standIns: ProcessGroup;
  /** Environment of Cupel's processes. */
  env: Record<string, string>;
  store: ObjectStore;
  deltas: DeltaStore;
  /** Path of the file that an object is, to be read only. */
  fileOf(uri: string): string;
  stop(): Promise<void>;
}

/** Starts Cloud Storage on local disk and, where asked for, the Iceberg REST catalog, on an empty folder. */
export async function startBenchLake(directory: string, { catalog = false } = {}): Promise<BenchLake> {
  await ensureTools(catalog ? ['fakeGcs', 'catalogJars'] : ['fakeGcs']);
  // Google's clients look for a metadata server for seconds unless they are told that there is none.
  process.env.METADATA_SERVER_DETECTION = 'none';
  const folders = { stateDirectory: path.join(directory, 'lake'), logDirectory: directory };
  mkdirSync(folders.stateDirectory, { recursive: true });
  const projectId = COMMON.CUPEL_PROJECT;
  const warehouse = `gs://${BUCKETS.silver}`;
  const standIns = new ProcessGroup('stand-ins');
  const storage = await standIns.enclose(() => startStorage(folders));
  const client = await storageClient(readEnvironment({ ...COMMON, CUPEL_STORAGE_ENDPOINT: storage.url }));
  for (const bucket of Object.values(BUCKETS)) await client.createBucket(bucket);
  const storageUrl = storage.url;
  const rest =
    catalog && (await standIns.enclose(() => startCatalog({ ...folders, warehouse, projectId, storageUrl })));
  const store = new ObjectStore(client);
  return {
    standIns,
    env: {
      ...COMMON,
      METADATA_SERVER_DETECTION: 'none',
      CUPEL_STORAGE_ENDPOINT: storage.url,
      ...(rest ? { CUPEL_CATALOG_URI: rest.url, CUPEL_CATALOG_WAREHOUSE: warehouse } : {}),
    },
    store,
    deltas: new DeltaStore(store, BUCKETS.ops),
    fileOf: (uri) => path.join(storage.root, uri.slice('gs://'.length)),
    async stop() {
      if (rest) await rest.stop();
      await storage.stop();
      await standIns.close();
    },
  };
}

/** Compiles the contract of a source and publishes it, as `cupel contract publish` does. */
export async function publishedContract(
  { store }: BenchLake,
  source: string,
): Promise<{ contract: CompiledContract; uri: string }> {
  const contract = await loadContract(COMMON.CUPEL_CONTRACTS_DIR, source);
  await admitContract({ store, opsBucket: BUCKETS.ops }, contract);
  return { contract, uri: contractUri(BUCKETS.ops, source, contract.hash) };
}
