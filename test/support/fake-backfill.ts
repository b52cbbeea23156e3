import type { Client } from '@temporalio/client';
import { backfillActivities } from '../../src/activities/backfill.ts';
import type { Activities, ActivityResources } from '../../src/activities/index.ts';
import type { PlanHead } from '../../src/activities/plans.ts';
import { temporalActivities } from '../../src/activities/temporal.ts';
import type { ChunkReference } from '../../src/lakehouse/planning/plan-store.ts';
import { doneOf, fakeActivities } from './fake-activities.ts';
import type { FakeActivities } from './fake-activities.ts';

/** Chunks of one page: as the real activity answers. */
const PAGE = 200;

/** Hour `number` of 2025 as a partition. */
export const partitionOf = (number: number): string =>
  `all_hour/${new Date(Date.UTC(2025, 0, 1) + number * 3_600_000).toISOString().slice(0, 13)}`;

const SOME = { partitions: 0, objects: 0, bytes: 0 };

/** The plan of so many chunks of equal size. */
export function planOf(chunks: number, perChunk: number): { head: PlanHead; references: ChunkReference[] } {
  const partitions = chunks * perChunk;
  const toProcess = { partitions, objects: partitions, bytes: partitions * 1_000 };
  const byState = { missing: toProcess, failed: SOME, gap: SOME, stale: SOME, done: SOME };
  const cost = { currency: 'USD', jobs: chunks, workerHours: 1, dataflow: 1, storage: 1, total: 2 };
  const references = Array.from({ length: chunks }, (_, chunk) => ({
    chunk,
    first: partitionOf(chunk * perChunk),
    partitions: perChunk,
    bytes: perChunk * 1_000,
    unverified: 0,
    start: chunk,
    end: chunk + 1,
  }));
  return {
    head: { planUri: 'gs://ops/plans/p.ndjson', totals: { byState, missingSlots: 0, toProcess, chunks }, cost },
    references,
  };
}

/** What a test sets up, and what it can look at. */
export interface FakeBackfill extends FakeActivities {
  /** Chunks whose job is running now, and the most there ever were. */
  jobs: { now: number; most: number };
  /** Batches that were committed, in order. */
  committed: string[];
  /** Partitions that were entered as failed. */
  failed: string[];
  /** What people were told: subject, state, code. */
  announced: string[];
}

/** Activities of a backfill of so many chunks: the world outside is made up, Temporal is real. */
export function fakeBackfill(
  client: Client,
  size: { chunks: number; perChunk?: number },
  replace: Partial<Activities> = {},
): FakeBackfill {
  const { head, references } = planOf(size.chunks, size.perChunk ?? 1);
  const jobs = { now: 0, most: 0 };
  const committed: string[] = [];
  const failed: string[] = [];
  const announced: string[] = [];
  const resources = { temporal: client, environment: { buckets: {} } } as unknown as ActivityResources;
  const { acquireLease, releaseLease, isRunning } = temporalActivities(resources);
  const { endedChunks, tellBackfill } = backfillActivities(resources);
  const settle = async (waiter: string, batchIds: string[]): Promise<void> => {
    // As the committer: what is settled is answered again, and not committed again.
    committed.push(...batchIds.filter((batchId) => !committed.includes(batchId)));
    await client.workflow.getHandle(waiter).signal('settled', batchIds.map(doneOf));
  };
  const fake = fakeActivities(0, {
    acquireLease,
    releaseLease,
    isRunning,
    endedChunks,
    tellBackfill,
    resolveRange: ({ from, to }) => Promise.resolve({ from, to }),
    planBackfill: () => Promise.resolve(head),
    readPlanPage: ({ page }) => Promise.resolve(references.slice(page * PAGE, (page + 1) * PAGE)),
    freeDataflowJobs: () => Promise.resolve(25),
    prepareChunk: ({ reference }) =>
      Promise.resolve({
        chunk: {
          batchId: `batch-${reference.first}`,
          uri: `gs://ops/chunks/${reference.chunk}.json`,
          objects: reference.partitions,
          partitions: reference.partitions,
          published: false,
        },
        refused: 0,
        done: 0,
      }),
    launchDataflowJob: ({ work }) => {
      jobs.now += 1;
      jobs.most = Math.max(jobs.most, jobs.now);
      return Promise.resolve({ jobId: work, jobName: work });
    },
    awaitDataflowJob: () => {
      jobs.now -= 1;
      return Promise.resolve({});
    },
    submitBatches: ({ waiter, batchIds }) => settle(waiter, batchIds),
    failedPartitions: ({ failed: named, code }) =>
      Promise.resolve((named ?? []).map((of) => ({ ...of, fingerprint: 'f', code: of.code || code }))),
    recordFailures: ({ failed: partitions }) => {
      failed.push(...partitions.map(({ partition }) => partition));
      return Promise.resolve();
    },
    recordChunkFailure: ({ reference }) => {
      failed.push(reference.first);
      return Promise.resolve();
    },
    verifyPlan: () => Promise.resolve({ done: committed.length, open: failed.length, first: failed.slice(0, 20) }),
    announce: ({ subject, state, code = '' }) => {
      announced.push(`${subject} ${state} ${code}`.trim());
      return Promise.resolve();
    },
    ...replace,
  } as Partial<Activities>);
  return { ...fake, jobs, committed, failed, announced };
}
