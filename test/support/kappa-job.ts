import { spawn } from 'node:child_process';
import path from 'node:path';
import { PROJECT } from '../../scripts/tools.ts';
import { contractUri } from '../../src/lakehouse/contract-store.ts';
import type { Chunk } from '../../src/lakehouse/deltas/index.ts';
import type { Lake } from './lake.ts';

/** Where a job of a test finds its buckets: those of {@link Lake}. */
export const BUCKETS = Object.fromEntries(
  ['bronze', 'silver', 'ops', 'quarantine'].map((name) => [`CUPEL_${name.toUpperCase()}_BUCKET`, `cupel-${name}`]),
);

/** How a job ended. */
export interface JobEnd {
  code: number;
  stdout: string;
  stderr: string;
}

/** Stores a chunk and runs its job as the Dataflow server does, or on another runner; aborted, the job is killed. */
export async function runKappaJob(
  lake: Lake,
  chunk: Chunk,
  report?: string,
  signal?: AbortSignal,
  runner: string[] = [],
): Promise<JobEnd> {
  await lake.deltas.writeChunk(chunk);
  const args = [
    `--chunk=${lake.deltas.chunkUri(chunk.batchId)}`,
    `--contract=${contractUri('cupel-ops', chunk.source, chunk.contractHash)}`,
    ...(report ? [`--report=${report}`] : []),
    ...runner,
  ];
  const env = { ...process.env, ...BUCKETS, CUPEL_PROJECT: 'cupel-test', CUPEL_STORAGE_ENDPOINT: lake.storageUrl };
  const child = spawn(process.execPath, [path.join(PROJECT, 'beam/main.ts'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    killSignal: 'SIGKILL',
    ...(signal ? { signal } : {}),
  });
  child.once('error', () => undefined); // told by its exit code
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 1)));
  return { code, stdout, stderr };
}
