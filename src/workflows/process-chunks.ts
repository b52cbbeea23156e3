import { isCancellation, workflowInfo } from '@temporalio/workflow';
import type { ValidatedChunk } from '../activities/bronze.ts';
import { short, waiting } from './activities.ts';

/** Jobs at once: a project's quota of Dataflow jobs is shared. */
const JOBS_AT_ONCE = 4;

/** Runs a Dataflow job per chunk; a chunk whose manifest is published already needs none. */
export async function processChunks(chunks: ValidatedChunk[], contractUri: string): Promise<void> {
  const queue = chunks.filter((chunk) => !chunk.published);
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let chunk = queue.shift(); chunk; chunk = queue.shift()) {
      try {
        await processChunk(chunk, contractUri);
      } catch (error) {
        if (isCancellation(error)) throw error;
        failures.push(error); // the other chunks go on; what they did need not be done again
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(JOBS_AT_ONCE, queue.length) }, worker));
  if (failures.length) throw failures[0];
}

async function processChunk(chunk: ValidatedChunk, contractUri: string): Promise<void> {
  const job = await short.launchDataflowJob({
    work: chunk.batchId,
    run: workflowInfo().runId,
    namePrefix: 'cupel-kappa',
    parameters: { chunk: chunk.uri, contract: contractUri },
  });
  await waiting.awaitDataflowJob(job);
}
