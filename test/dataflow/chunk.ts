import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Storage } from '@google-cloud/storage';
import { startStorage } from '../../local/storage/start.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { bronzeName, parseBronzeName, partitionOf } from '../../src/lakehouse/bronze/index.ts';
import { contractUri, publishContract } from '../../src/lakehouse/contract-store.ts';
import { DeltaStore } from '../../src/lakehouse/deltas/index.ts';
import type { Chunk } from '../../src/lakehouse/deltas/index.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { toChunk } from '../../src/lakehouse/planning/chunks.ts';
import { BUCKETS } from '../support/kappa-job.ts';

/** A chunk that lies ready in a Cloud Storage server, and how a job finds it. */
export interface ReadyChunk {
  chunk: Chunk;
  storageUrl: string;
  store: ObjectStore;
  deltas: DeltaStore;
  /** The job's parameters as arguments. */
  arguments: string[];
  /** Variables of the job. */
  environment: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

/** Starts a Cloud Storage server and lands one object of Bronze, of the feed `all_hour`, with a chunk of it. */
export async function readyChunk(contract: CompiledContract, poll: string): Promise<ReadyChunk> {
  const directory = await mkdtemp(path.join(tmpdir(), 'cupel-test-'));
  const server = await startStorage({ stateDirectory: directory, logDirectory: path.join(directory, 'logs') });
  const storage = new Storage({ projectId: 'cupel-test', apiEndpoint: server.url });
  for (const name of ['bronze', 'ops', 'quarantine']) await storage.createBucket(`cupel-${name}`);
  const store = new ObjectStore(storage);
  const deltas = new DeltaStore(store, 'cupel-ops');
  await publishContract(store, 'cupel-ops', contract);
  const sha256 = createHash('sha256').update(poll).digest('hex');
  const { source } = contract;
  const name = bronzeName({ source, feed: 'all_hour', hour: '2025-01-01T13', sha256, extension: 'geojson' });
  await store.create(`gs://cupel-bronze/${name}`, poll);
  const partition = partitionOf(parseBronzeName(name) as NonNullable<ReturnType<typeof parseBronzeName>>);
  const chunk = toChunk(contract, [{ name, generation: '1', bytes: poll.length, partition }]);
  await deltas.writeChunk(chunk);
  return {
    chunk,
    storageUrl: server.url,
    store,
    deltas,
    arguments: [
      `--chunk=${deltas.chunkUri(chunk.batchId)}`,
      `--contract=${contractUri('cupel-ops', source, contract.hash)}`,
    ],
    environment: { ...process.env, ...BUCKETS, CUPEL_PROJECT: 'cupel-test', CUPEL_STORAGE_ENDPOINT: server.url },
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}
