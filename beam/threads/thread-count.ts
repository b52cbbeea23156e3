import { availableParallelism } from 'node:os';

/** Most threads of a job that nobody has told how many to take. */
export const MOST_THREADS = 4;

/** Threads of this job. Dataflow starts a process per core itself: there `CUPEL_JOB_THREADS=1`. Default: the cores, at most 4. */
export function threadCount(): number {
  return Number(process.env.CUPEL_JOB_THREADS) || Math.min(MOST_THREADS, availableParallelism());
}
