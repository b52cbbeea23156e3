import { isCancellation } from '@temporalio/workflow';
import type { ValidatedChunk } from '../lakehouse/planning/prepare-chunk.ts';
import { processChunk } from './process-chunk.ts';
import type { ProcessedChunk } from './process-chunk.ts';

/** Jobs at once: a project's quota of Dataflow jobs is shared. */
const JOBS_AT_ONCE = 4;

/** Runs a Dataflow job per chunk. */
export async function processChunks(chunks: ValidatedChunk[], contractUri: string): Promise<ProcessedChunk> {
  const queue = [...chunks];
  const processed: ProcessedChunk = { published: [], failed: [] };
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let chunk = queue.shift(); chunk; chunk = queue.shift()) {
      try {
        const { published, failed } = await processChunk(chunk, contractUri);
        processed.published.push(...published);
        processed.failed.push(...failed);
      } catch (error) {
        if (isCancellation(error)) throw error;
        errors.push(error); // the other chunks go on; what they did need not be done again
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(JOBS_AT_ONCE, queue.length) }, worker));
  if (errors.length) throw errors[0];
  return processed;
}
