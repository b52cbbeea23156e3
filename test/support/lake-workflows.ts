import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createActivities } from '../../src/activities/index.ts';
import type { Activities, ActivityResources } from '../../src/activities/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { cupelError } from '../../src/errors.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { bronzeName } from '../../src/lakehouse/bronze/index.ts';
import type { FailureReport } from '../../src/lakehouse/deltas/index.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import { contractOf } from './contracts.ts';
import { fakeActivities } from './fake-activities.ts';
import { BUCKETS, runKappaJob } from './kappa-job.ts';
import { startLake } from './lake.ts';
import { memoryLedger } from './memory-ledger.ts';
import { cupelWorker, timeSkipping } from './workflows.ts';

/** Cupel's workflows with their own activities, real jobs, a real Cloud Storage server and a real Iceberg catalog. Temporal's time skips. */
export type LakeWorkflows = Awaited<ReturnType<typeof startLakeWorkflows>>;

/** A BigQuery that has every dataset and table that it is asked for, with the columns that it is given. */
function acceptingBigQuery(): object {
  const metadata = { schema: { fields: [] } };
  const table = { getMetadata: () => Promise.resolve([metadata]), setMetadata: () => Promise.resolve([metadata]) };
  const dataset = { createTable: () => Promise.resolve(), table: () => table };
  return { createDataset: () => Promise.resolve(), dataset: () => dataset };
}

export async function startLakeWorkflows() {
  const [lake, env, contracts] = await Promise.all([
    startLake(),
    timeSkipping(),
    mkdtemp(path.join(tmpdir(), 'cupel-contracts-')),
  ]);
  const ledger = memoryLedger();
  /** Chunk URIs by batch id of the jobs that were launched, and their reports. */
  const jobs = new Map<string, { chunk: string; report: string }>();

  /** What tests do at a point of a run. */
  const hooks = { beforeRebuild: (): Promise<void> => Promise.resolve() };

  /** Runs a job here, and reads its report as the Dataflow activity does. */
  async function runJob(batchId: string): Promise<Record<string, number>> {
    const { chunk, report } = jobs.get(batchId) ?? { chunk: '', report: '' };
    const { code, stderr } = await runKappaJob(lake, await lake.deltas.readChunk(chunk), report);
    if (code === 0 && !stderr) return {};
    const told = await lake.store.readIfExists(report);
    if (!told) throw new Error(`job ${batchId}: ${code} ${stderr}`);
    const { newFields } = JSON.parse(told.toString('utf8')) as FailureReport;
    throw cupelError(newFields ? 'CUP_FIELDS_NEW' : 'CUP_PARTITIONS_FAILED', { job: batchId });
  }

  /** Cupel's own activities; jobs run here, and batches are committed at once. */
  function realActivities(): Partial<Activities> {
    const environment = readEnvironment({ ...BUCKETS, CUPEL_PROJECT: 'cupel-test', CUPEL_CONTRACTS_DIR: contracts });
    const others = { environment, ledger, bigquery: acceptingBigQuery(), temporal: env.client, now: () => Date.now() };
    const resources = { ...lake, ...others } as unknown as ActivityResources;
    const real = createActivities(resources);
    return {
      ...fakeActivities(0).activities,
      ...real,
      // Each run has a worker of its own, and the time-skipping server keeps an entity's next task for the one that is gone.
      acquireLease: () => Promise.resolve(),
      releaseLease: () => Promise.resolve(),
      takeGoldTurn: () => Promise.resolve(),
      endGoldTurn: () => Promise.resolve(),
      launchDataflowJob: async ({ work, parameters }) => {
        jobs.set(work, parameters as { chunk: string; report: string });
        return Promise.resolve({ jobId: work, jobName: work });
      },
      awaitDataflowJob: ({ jobId }) => runJob(jobId),
      submitBatches: async ({ contractUri, batchIds, table }) => {
        await real.commitBatches({ contractUri, batchIds, table }).catch(() => undefined);
      },
      requestRebuild: async (request) => {
        await hooks.beforeRebuild();
        return real.rebuildTable(request);
      },
      announce: () => Promise.resolve(),
      compileDataform: () => Promise.resolve({ name: 'compilation', commit: 'c' }),
      readRawTables: () => Promise.resolve([]),
      startDataform: () => Promise.resolve('invocation'),
      awaitDataform: () => Promise.resolve(),
    };
  }

  return {
    lake,
    ledger,
    jobs,
    hooks,

    /** Puts the file of a contract where workers read it; `anew`: as that of another life of the source. */
    async declare(source: string, edit: (yaml: string) => string, anew = false): Promise<CompiledContract> {
      let text = '';
      const contract = contractOf(source, (yaml) => (text = edit(yaml)));
      await writeFile(path.join(contracts, `${source}.yaml`), text);
      if (anew) await lake.store.delete(`gs://cupel-ops/contracts/${source}/published.json`);
      return contract;
    },

    /** Runs a workflow by its name to its end. */
    async run<T>(type: string, input: object, workflowId: string): Promise<T> {
      const worker = await cupelWorker(env, realActivities());
      return worker.runUntil(async () => {
        const start = { taskQueue: TASK_QUEUE, workflowId, args: [input] as [object] };
        return (await env.client.workflow.start<(given: object) => Promise<T>>(type, start)).result();
      });
    },

    /** Lands a poll of the earthquakes in an hour of Bronze. */
    async landPoll(hour: string, generated: number, features: unknown[]): Promise<void> {
      const text = JSON.stringify({ type: 'FeatureCollection', metadata: { generated }, features });
      const sha256 = createHash('sha256').update(text).digest('hex');
      const name = bronzeName({ source: 'earthquakes', feed: 'all_hour', hour, sha256, extension: 'geojson' });
      await lake.store.create(`gs://cupel-bronze/${name}`, text);
    },

    async stop(): Promise<void> {
      await env.teardown();
      await lake.stop();
      await rm(contracts, { recursive: true, force: true });
    },
  };
}
