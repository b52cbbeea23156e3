import { isCancellation, workflowInfo } from '@temporalio/workflow';
import { reportUri } from '../lakehouse/deltas/report-name.ts';
import type { FailedPartition } from '../lakehouse/planning/chunks.ts';
import type { ValidatedChunk } from '../lakehouse/planning/prepare-chunk.ts';
import { launching, short, waiting } from './activities.ts';
import { codeOf } from './failures.ts';

/** What became of a chunk: batches with a manifest, and partitions that could not be processed. */
export interface ProcessedChunk {
  published: ValidatedChunk[];
  failed: FailedPartition[];
}

/** Failures of a job that named no partition before the chunk is cut in two: one may be a machine's. */
const CRASHES_BEFORE_CUTTING = 2;

/** Cuts in two, one after the other, before what is left counts as failed: 64 parts. */
const MAX_DEPTH = 6;

/** A job that ended without naming a partition: its worker crashed, or nobody knows it any more. */
const CRASHED = new Set(['CUP_DATAFLOW_JOB_FAILED', 'CUP_DATAFLOW_JOB_LOST']);

/**
 * Runs a Dataflow job for a chunk; one whose manifest is published already needs none. Fields that the contract has to take up
 * first end the job, and it runs again under the contract that has them. Partitions that a job's report names
 * are set aside and the rest goes on. A chunk whose job crashes twice is cut in two, so that one poisonous partition stops no
 * other; halves run one after the other, in the chunk's own place.
 *
 * @throws whatever is no failure of the data: a refused request, a cancellation
 */
export async function processChunk(chunk: ValidatedChunk, contractUri: string, depth = 0): Promise<ProcessedChunk> {
  if (chunk.published) return { published: [chunk], failed: [] };
  for (let attempt = 1; ; attempt += 1) {
    const { runId } = workflowInfo();
    const report = reportUri(chunk.uri, runId, attempt);
    try {
      await runJob(chunk, contractUri, report, attempt);
      return { published: [chunk], failed: [] };
    } catch (error) {
      if (isCancellation(error)) throw error;
      const code = codeOf(error);
      if (code === 'CUP_PARTITIONS_FAILED') return setAside(chunk, contractUri, report, depth);
      if (code === 'CUP_FIELDS_NEW') return takeUpFields(chunk, contractUri, report, depth);
      if (!CRASHED.has(code)) throw error;
      if (attempt === CRASHES_BEFORE_CUTTING) return cutInTwo(chunk, contractUri, code, depth);
    }
  }
}

async function runJob(chunk: ValidatedChunk, contractUri: string, report: string, attempt: number): Promise<void> {
  const job = await launching.launchDataflowJob({
    work: chunk.batchId,
    run: `${workflowInfo().runId}/${attempt}`,
    namePrefix: 'cupel-kappa',
    parameters: { chunk: chunk.uri, contract: contractUri, report },
  });
  await waiting.awaitDataflowJob({ ...job, report });
}

async function setAside(
  chunk: ValidatedChunk,
  contractUri: string,
  report: string,
  depth: number,
): Promise<ProcessedChunk> {
  const named = await short.readFailureReport({ report });
  const failed = await short.failedPartitions({ chunkUri: chunk.uri, code: 'CUP_PARTITIONS_FAILED', failed: named });
  const without = named.map(({ partition }) => partition);
  const rest = await short.recutChunk({ chunkUri: chunk.uri, without });
  return rest ? withFailed(await processChunk(rest, contractUri, depth), failed) : { published: [], failed };
}

/** The contract takes up what the job saw, and the same work is done under it: another batch. */
async function takeUpFields(
  chunk: ValidatedChunk,
  contractUri: string,
  report: string,
  depth: number,
): Promise<ProcessedChunk> {
  const { uri } = await short.takeUpFields({ contractUri, report });
  return processChunk(await short.moveChunk({ chunkUri: chunk.uri, contractUri: uri }), uri, depth);
}

async function cutInTwo(
  chunk: ValidatedChunk,
  contractUri: string,
  code: string,
  depth: number,
): Promise<ProcessedChunk> {
  if (chunk.partitions === 1 || depth === MAX_DEPTH)
    return { published: [], failed: await short.failedPartitions({ chunkUri: chunk.uri, code }) };
  const both: ProcessedChunk = { published: [], failed: [] };
  for (const half of ['first', 'second'] as const) {
    const part = await short.recutChunk({ chunkUri: chunk.uri, half });
    if (!part) continue;
    const { published, failed } = await processChunk(part, contractUri, depth + 1);
    both.published.push(...published);
    both.failed.push(...failed);
  }
  return both;
}

function withFailed(rest: ProcessedChunk, failed: FailedPartition[]): ProcessedChunk {
  return { published: rest.published, failed: [...failed, ...rest.failed] };
}
