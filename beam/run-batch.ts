import { randomUUID } from 'node:crypto';
import { storageClient } from '../src/gcp/clients.ts';
import { readEnvironment } from '../src/gcp/env.ts';
import { DeltaStore } from '../src/lakehouse/deltas/index.ts';
import { ObjectStore } from '../src/lakehouse/object-store.ts';
import { kappa } from './pipeline.ts';
import { runnerOf } from './runners/index.ts';
import type { RunnerValues } from './runners/index.ts';
import { listedObjects } from './sources/listed-objects.ts';
import { pulledObjects } from './sources/pulled-objects.ts';

/** What a batch job is started with. */
export interface BatchParameters {
  /** `gs://…/chunks/<batchId>.json` */
  chunk: string;
  /** `gs://…/contracts/<source>/<hash>.json` */
  contract: string;
  /** `gs://…` where the job says which partitions it failed for. Unset: only in its error. */
  report?: string;
}

/** Runs the pipeline over a chunk. A batch has one manifest for ever: a job that comes after it has nothing to do. */
export async function runBatch(given: BatchParameters, runnerValues: RunnerValues): Promise<void> {
  const runner = runnerOf(runnerValues);
  const environment = readEnvironment();
  const deltas = new DeltaStore(new ObjectStore(await storageClient(environment)), environment.buckets.ops);
  const chunk = await deltas.readChunk(given.chunk);
  const published = await deltas.readManifest(chunk.table, chunk.batchId);
  if (published && !runner.needsGraph) return;
  const { batchId, table } = chunk;
  const job = { ...given, batch: { batchId, table, stage: deltas.stageUri(batchId, randomUUID()) } };
  if (published) return void (await runner.run((root) => listedObjects([])(root)));
  const source = chunk.pull ? pulledObjects(job, chunk.pull) : listedObjects(chunk.objects);
  await runner.run((root) => source(root).apply(kappa(job)));
}
