import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolPath } from '../../scripts/tools.ts';
import { goldTurnActivities } from '../../src/activities/gold-turn.ts';
import { temporalActivities } from '../../src/activities/temporal.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import { goldTurnsId, ingestId, pipelineId, sourceId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { Place, TurnAnswer, TurnHolder } from '../../src/workflows/gold-turn-messages.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import { PARTITION, RUN_KIND, SOURCE, STAGE } from '../../src/workflows/search-attributes.ts';
import { doneOf, fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker } from '../support/workflows.ts';

/** Above what any run here makes but the entity that it is about. */
const MANY_EVENTS = 300;

const run = promisify(execFile);
let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: toolPath('temporal') },
      searchAttributes: [SOURCE, STAGE, RUN_KIND, PARTITION],
      // Entities start their history anew after this many events, as after 4,096 elsewhere.
      extraArgs: ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${MANY_EVENTS}`],
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

const alive = () => Promise.resolve(true);

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

test("more runs than Temporal keeps updates open wait for Gold's turn, and each gets it", async () => {
  const RUNS = 14;
  const turns = env.client.workflow.getHandle(goldTurnsId());
  const inTurn = { now: 0, most: 0, all: 0 };
  const queue = (): Promise<Place[]> => turns.query<Place[]>('turns').catch(() => []);
  const resources = { temporal: env.client, environment: { pollIntervalMs: 50 } } as unknown as ActivityResources;
  const worker = await cupelWorker(env, {
    ...activities(),
    ...goldTurnActivities(resources),
    startDataform() {
      inTurn.all += 1;
      inTurn.now += 1;
      inTurn.most = Math.max(inTurn.most, inTurn.now);
      return Promise.resolve('invocation');
    },
    async awaitDataform() {
      if (inTurn.all === 1) await expect.poll(queue, { timeout: 30_000 }).toHaveLength(RUNS);
      inTurn.now -= 1;
    },
  });
  await worker.runUntil(async () => {
    const run = (hour: number): Promise<PipelineResult> => {
      const from = `2025-02-01T${String(hour).padStart(2, '0')}:00:00Z`;
      const to = `2025-02-01T${String(hour + 1).padStart(2, '0')}:00:00Z`;
      const start = { workflowId: pipelineId('s', from, to), taskQueue: TASK_QUEUE, args: [{ source: 's', from, to }] };
      return env.client.workflow.execute('pipeline', start) as Promise<PipelineResult>;
    };
    const results = await Promise.all(Array.from({ length: RUNS }, (_, hour) => run(hour)));
    expect(results.map(({ gold }) => gold.state)).toEqual(results.map(() => 'materialized'));
    expect(inTurn).toEqual({ now: 0, most: 1, all: RUNS });
    expect(await queue()).toEqual([]);
  });
});

test("when the history of Gold's turns starts anew, the queue goes with it, and who waits asks again", async () => {
  const resources = { temporal: env.client, environment: { pollIntervalMs: 50 } } as unknown as ActivityResources;
  const turns = env.client.workflow.getHandle(goldTurnsId());
  await turns.terminate('another test had it').catch(() => undefined);
  const queue = async () => (await turns.query<Place[]>('turns').catch(() => [])).map(({ workflowId }) => workflowId);
  const worker = await cupelWorker(env, { ...activities(), ...goldTurnActivities(resources), isRunning: alive });
  await worker.runUntil(async () => {
    const holder = { workflowId: 'holder', runId: 'r' };
    await env.client.workflow.start('goldTurns', { workflowId: goldTurnsId(), taskQueue: TASK_QUEUE, args: [{}] });
    const ask = () => turns.executeUpdate<TurnAnswer, [TurnHolder]>('takeTurn', { args: [holder] });
    await ask();
    const first = (await turns.describe()).runId;
    const waiter = env.client.workflow.execute('pipeline', {
      workflowId: 'waiter',
      taskQueue: TASK_QUEUE,
      args: [{ source: 'waits', from: '2025-03-01', to: '2025-03-02' }],
    });
    await expect.poll(queue, { timeout: 20_000 }).toEqual(['holder', 'waiter']);
    for (let asked = 0; (await turns.describe()).runId === first; asked += 1) {
      expect(asked).toBeLessThan(MANY_EVENTS);
      expect(await ask()).toEqual({ yours: true, ahead: 0 });
    }
    expect(await queue()).toEqual(['holder', 'waiter']);
    await turns.executeUpdate('endTurn', { args: [holder] });
    expect(await waiter).toMatchObject({ gold: { state: 'materialized' } });
    await expect.poll(queue).toEqual([]);
  });
});

test("a worker that ends leaves Gold's turns to the next one", async () => {
  const resources = { temporal: env.client, environment: { pollIntervalMs: 50 } } as unknown as ActivityResources;
  const turns = env.client.workflow.getHandle(goldTurnsId());
  await turns.terminate('another test had it').catch(() => undefined);
  const runIds: string[] = [];
  for (const workflowId of ['before', 'after']) {
    const worker = await cupelWorker(env, { ...activities(), ...goldTurnActivities(resources) });
    const args = [{ source: workflowId, from: '2025-04-01', to: '2025-04-02' }];
    const result = worker.runUntil(
      env.client.workflow.execute('pipeline', { workflowId, taskQueue: TASK_QUEUE, args }),
    );
    expect(await result).toMatchObject({ gold: { state: 'materialized' } });
    runIds.push((await turns.describe()).runId);
  }
  expect(runIds[1]).toBe(runIds[0]);
});
