import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolPath } from '../../scripts/tools.ts';
import { temporalActivities } from '../../src/activities/temporal.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import { ingestId, pipelineId, sourceId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import { PARTITION, RUN_KIND, SOURCE, STAGE } from '../../src/workflows/search-attributes.ts';
import { doneOf, fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker } from '../support/workflows.ts';

const run = promisify(execFile);
let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: toolPath('temporal') },
      searchAttributes: [SOURCE, STAGE, RUN_KIND, PARTITION],
    },
  });
});
afterAll(() => env.teardown());

const settled = (waiter: string, batchIds: string[]) =>
  env.client.workflow.getHandle(waiter).signal('settled', batchIds.map(doneOf));

/** Activities that reach Temporal for real; all else is made up. */
function activities() {
  const { acquireLease, releaseLease, isRunning } = temporalActivities({ temporal: env.client } as ActivityResources);
  const result = {
    object: 'o',
    alreadyLanded: false,
    state: 'landed' as const,
    carrierOrder: '1',
    bytes: 1,
    records: 1,
    published: 1,
  };
  return fakeActivities(1, {
    acquireLease,
    releaseLease,
    isRunning,
    pollFeed: () => Promise.resolve(result),
    submitBatches: ({ waiter, batchIds }) => settled(waiter, batchIds),
  }).activities;
}

const range = { from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' };

test('a run is found by its search attributes, and its page tells the story', async () => {
  const worker = await cupelWorker(env, activities());
  await worker.runUntil(async () => {
    const workflowId = pipelineId('s', range.from, range.to);
    const handle = await env.client.workflow.start<(input: object) => Promise<PipelineResult>>('pipeline', {
      workflowId,
      taskQueue: TASK_QUEUE,
      args: [{ source: 's', ...range }],
    });
    expect((await handle.result()).batches.committed).toBe(1);
    const query = `CupelSource = "s" AND CupelRunKind = "pipeline" AND CupelStage = "done" AND CupelPartition = "${range.from}/${range.to}"`;
    const found = async (): Promise<string[]> => {
      const ids: string[] = [];
      for await (const one of env.client.workflow.list({ query })) ids.push(one.workflowId);
      return ids;
    };
    await expect.poll(found, { timeout: 20_000 }).toEqual([workflowId]);
    // The lease was granted and given back.
    expect(await env.client.workflow.getHandle(sourceId('s')).query('leases')).toEqual([]);
  });
});

test("a run over a range that another holds is refused with the holder's id", async () => {
  const worker = await cupelWorker(env, activities());
  await worker.runUntil(async () => {
    // A run that never ends holds the range.
    const holder = await env.client.workflow.start('committer', {
      workflowId: 'holder',
      taskQueue: TASK_QUEUE,
      args: [{ table: 't' }],
    });
    const { acquireLease } = temporalActivities({ temporal: env.client } as ActivityResources);
    await acquireLease({ source: 'held', lease: { range, workflowId: 'holder', runId: holder.firstExecutionRunId } });
    const second = {
      taskQueue: TASK_QUEUE,
      args: [{ source: 'held', from: '2025-01-01T12:00:00Z', to: '2025-01-01T13:00:00Z' }],
    };
    const refused = env.client.workflow.execute('pipeline', { ...second, workflowId: 'second' });
    await expect(refused).rejects.toMatchObject({
      cause: { cause: { type: 'CUP_RANGE_LEASED', details: [{ holder: 'holder' }] } },
    });
    await holder.terminate();
    await env.client.workflow.execute('pipeline', { ...second, workflowId: 'third' }); // a dead holder holds nothing
  });
});

test("Temporal's own command line starts a run", async () => {
  const worker = await cupelWorker(env, activities());
  await worker.runUntil(async () => {
    const workflowId = ingestId('earthquakes', 'all_hour', '2025-01-01T13:00:00Z');
    const input = JSON.stringify({ source: 'earthquakes', feed: 'all_hour', nominalTime: '2025-01-01T13:00:00Z' });
    const where = ['--address', env.address, '--namespace', env.namespace ?? 'default'];
    const what = ['--type', 'ingest', '--task-queue', TASK_QUEUE, '--workflow-id', workflowId, '--input', input];
    await run(toolPath('temporal'), ['workflow', 'start', ...what, ...where]);
    expect(await env.client.workflow.getHandle(workflowId).result()).toMatchObject({ state: 'landed' });
  });
});
