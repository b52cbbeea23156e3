import type { Activities, ActivityResources } from '../../src/activities/index.ts';
import type { Chunk, Done, Manifest } from '../../src/lakehouse/deltas/index.ts';
import { PlainStorage } from './plain-storage.ts';
import type { RunStep } from './steps.ts';

type Replaced =
  | 'prepareChunk'
  | 'freeDataflowJobs'
  | 'launchDataflowJob'
  | 'awaitDataflowJob'
  | 'commitBatches'
  | 'maintainTable'
  | 'announce'
  | 'readSilverStates';

const NOTHING = { recordsIn: 0, quarantined: 0, reduced: 0, rows: 0 };

/**
 * What a partition's work is replaced by: no job runs and no table is merged, but their manifests and outcomes are written,
 * since the rest reads them. Every other activity is the product's own.
 */
export function noOpActivities(
  { environment, deltas }: Pick<ActivityResources, 'environment' | 'deltas'>,
  real: Pick<Activities, 'prepareChunk'>,
  step: RunStep,
): Pick<Activities, Replaced> {
  const storage = new PlainStorage(environment.endpoints.storage ?? '');
  const chunks = new Map<string, Chunk>();

  /** The stored chunk of a batch. It holds one partition, whose name it is known by. */
  async function chunkOf(batchId: string): Promise<{ chunk: Chunk; partition: string }> {
    const chunk = chunks.get(batchId) ?? (await storage.read<Chunk>(deltas.chunkUri(batchId)));
    chunks.set(batchId, chunk);
    return { chunk, partition: chunk.partitions[0]?.partition ?? batchId };
  }

  /** Where the delta store keeps a batch's manifest and outcome (docs/deltas-and-committer.md). */
  const uriOf = (table: string, name: string): string =>
    `gs://${environment.buckets.ops}/_deltas/${table}/${name}.json`;

  async function settle(chunk: Chunk): Promise<Done> {
    const done = unchanged(chunk);
    await storage.create(uriOf(chunk.table, `${chunk.batchId}.done`), done);
    return done;
  }

  return {
    /** The real one: the ledger knows the objects as verified already. */
    prepareChunk: (input) => step(input.reference.first, 'validate', () => real.prepareChunk(input)),
    freeDataflowJobs: () => Promise.resolve(1_000),
    async launchDataflowJob({ work }) {
      const { partition } = await chunkOf(work);
      return step(partition, 'launch', () => Promise.resolve({ jobId: work, jobName: work }));
    },
    async awaitDataflowJob({ jobId }) {
      const { chunk, partition } = await chunkOf(jobId);
      await step(partition, 'process', () => storage.create(uriOf(chunk.table, jobId), emptyManifest(chunk)));
      return {};
    },
    commitBatches: ({ batchIds }) =>
      Promise.all(
        batchIds.map(async (batchId) => {
          const { chunk, partition } = await chunkOf(batchId);
          return step(partition, 'commit', () => settle(chunk));
        }),
      ),
    maintainTable: () => Promise.resolve({ compactedFiles: 0, expiredSnapshots: 0, orphans: 0 }),
    announce: () => Promise.resolve(),
    readSilverStates: () => Promise.resolve({ states: [], asOf: new Date().toISOString() }),
  };
}

function emptyManifest(chunk: Chunk): Manifest {
  const { batchId, table, source, contractHash, rulesVersion, fingerprint, partitions } = chunk;
  const byPartition = partitions.map((partition) => ({ ...partition, ...NOTHING }));
  const head = { version: 1 as const, batchId, table, source, contractHash, rulesVersion, fingerprint };
  return { ...head, ...NOTHING, files: [], quarantine: [], byPartition };
}

function unchanged({ batchId, fingerprint }: Chunk): Done {
  const sizes = { rows: 0, bytes: 0, groupBytesWritten: 0 };
  return { version: 1, batchId, outcome: 'unchanged', snapshotId: null, groupId: null, fingerprint, ...sizes };
}
