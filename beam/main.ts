import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { cupelError } from '../src/errors.ts';
import { storageClient } from '../src/gcp/clients.ts';
import { readEnvironment } from '../src/gcp/env.ts';
import { DeltaStore } from '../src/lakehouse/deltas/index.ts';
import { ObjectStore } from '../src/lakehouse/object-store.ts';
import { kappa } from './pipeline.ts';
import { RUNNER_OPTIONS, runnerOf } from './runners/index.ts';
import type { JobRunner } from './runners/index.ts';
import { listedObjects } from './sources/listed-objects.ts';
import { pulledObjects } from './sources/pulled-objects.ts';
import { stopPools } from './threads/pool.ts';

/** Parameters of the template, by name; the template's metadata lists the same (beam/deploy/kappa.json). And the runner. */
function parameters(): { given: { chunk: string; contract: string; report?: string }; runner: JobRunner } {
  const text = { type: 'string' } as const;
  const options = { chunk: text, contract: text, report: text, ...RUNNER_OPTIONS };
  const { chunk, contract, report, ...runner } = parseArgs({ options }).values;
  if (!chunk || !contract)
    throw cupelError('CUP_REQUEST_INVALID', { expected: '--chunk and --contract, both gs:// URIs' });
  return { given: { chunk, contract, ...(report ? { report } : {}) }, runner: runnerOf(runner) };
}

async function main(): Promise<void> {
  const { given, runner } = parameters();
  const environment = readEnvironment();
  const deltas = new DeltaStore(new ObjectStore(await storageClient(environment)), environment.buckets.ops);
  const chunk = await deltas.readChunk(given.chunk);
  // A batch has one manifest for ever: a job that comes after it has nothing to do.
  const published = await deltas.readManifest(chunk.table, chunk.batchId);
  if (published && !runner.needsGraph) return;
  const { batchId, table } = chunk;
  const job = { ...given, batch: { batchId, table, stage: deltas.stageUri(batchId, randomUUID()) } };
  if (published) return void (await runner.run((root) => listedObjects([])(root)));
  const source = chunk.pull ? pulledObjects(job, chunk.pull) : listedObjects(chunk.objects);
  await runner.run((root) => source(root).apply(kappa(job)));
}

try {
  await main();
} finally {
  await stopPools();
}
