import type { Activities } from '../../src/activities/index.ts';
import type { Done } from '../../src/lakehouse/deltas/index.ts';

/** Activities that do nothing and remember that they were called, in order. */
export interface FakeActivities {
  calls: string[];
  activities: Partial<Activities>;
}

/** The outcome of a batch that was committed. */
export function doneOf(batchId: string): Done {
  const sizes = { rows: 3, bytes: 10, groupBytesWritten: 20 };
  return { version: 1, batchId, outcome: 'committed', snapshotId: '7', groupId: 'g', fingerprint: 'f', ...sizes };
}

/** Activities of a run with so many chunks; a test replaces those that it is about. */
export function fakeActivities(chunks: number, replace: Partial<Activities> = {}): FakeActivities {
  const calls: string[] = [];
  const ids = Array.from({ length: chunks }, (_, index) => `batch-${index + 1}`);
  const summary = { planUri: 'gs://ops/plans/p.json', objects: chunks, partitions: chunks, donePartitions: 0 };
  const quiet: Partial<Activities> = {
    acquireLease: () => Promise.resolve(),
    releaseLease: () => Promise.resolve(),
    resolveContract: () => Promise.resolve({ hash: 'h', uri: 'gs://ops/contracts/s/h.json', table: 'silver.s' }),
    planRange: () => Promise.resolve({ ...summary, toProcess: chunks, missingSlots: 0 }),
    validatePlan: () =>
      Promise.resolve({
        chunks: ids.map((batchId) => ({
          batchId,
          uri: `gs://ops/chunks/${batchId}.json`,
          objects: 1,
          partitions: 1,
          published: false,
        })),
        refused: 0,
      }),
    launchDataflowJob: ({ work }) => Promise.resolve({ jobId: `job-${work}`, jobName: work }),
    awaitDataflowJob: () => Promise.resolve({}),
    failedPartitions: ({ chunkUri, code }) => Promise.resolve([{ partition: chunkUri, fingerprint: 'f', code }]),
    recordFailures: () => Promise.resolve(),
    submitBatches: () => Promise.resolve(),
    readOutcomes: ({ batchIds }) => Promise.resolve(batchIds.map(doneOf)),
    recordBatches: () => Promise.resolve(),
    takeGoldTurn: () => Promise.resolve(),
    endGoldTurn: () => Promise.resolve(),
    goldSources: () => Promise.resolve(['s']),
    readSilverStates: ({ sources, others = [] }) =>
      Promise.resolve({
        asOf: '2025-01-01T00:00:00.000Z',
        states: [...sources, ...others].map((source) => ({ source, snapshotId: '7' })),
      }),
    compileDataform: () => Promise.resolve({ name: 'compilation', commit: 'c' }),
    readRawTables: () => Promise.resolve([]),
    isMaterialized: () => Promise.resolve(false),
    startDataform: () => Promise.resolve('invocation'),
    awaitDataform: () => Promise.resolve(),
    recordMaterialization: () => Promise.resolve(),
    ...replace,
  };
  const watched = Object.entries(quiet).map(([name, run]) => [
    name,
    (...args: unknown[]) => {
      calls.push(name);
      return (run as (...given: unknown[]) => unknown)(...args);
    },
  ]);
  return { calls, activities: Object.fromEntries(watched) as Partial<Activities> };
}
