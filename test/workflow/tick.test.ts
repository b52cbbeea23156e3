import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolPath } from '../../scripts/tools.ts';
import type { Activities, ActivityResources } from '../../src/activities/index.ts';
import { temporalActivities } from '../../src/activities/temporal.ts';
import { cupelError } from '../../src/errors.ts';
import {
  goldId,
  ingestId,
  maintainId,
  monitorId,
  pipelineId,
  reconcileId,
  TASK_QUEUE,
} from '../../src/workflows/ids.ts';
import { PARTITION, RUN_KIND, SOURCE, STAGE } from '../../src/workflows/search-attributes.ts';
import type { TickInput, TickResult } from '../../src/workflows/tick.ts';
import { codeOf, gate } from '../support/backfills.ts';
import { doneOf, fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker, record } from '../support/workflows.ts';

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

const LANDED = {
  object: 'o',
  alreadyLanded: false,
  state: 'landed' as const,
  carrierOrder: '1',
  bytes: 1,
  records: 1,
  published: 1,
};

/** Activities that reach Temporal for real; all else is made up. */
function world(replace: Partial<Activities> = {}): { calls: string[]; activities: Partial<Activities> } {
  const { acquireLease, releaseLease, isRunning, holderOf, awaitWorkflow } = temporalActivities({
    temporal: env.client,
  } as ActivityResources);
  return fakeActivities(1, {
    ...{ acquireLease, releaseLease, isRunning, holderOf, awaitWorkflow },
    resolveContract: () =>
      Promise.resolve({ hash: 'h', uri: 'gs://ops/contracts/s/h.json', table: 'silver.s', lookbackHours: 48 }),
    pollFeed: () => Promise.resolve(LANDED),
    submitBatches: ({ waiter, batchIds }) =>
      env.client.workflow.getHandle(waiter).signal('settled', batchIds.map(doneOf)),
    announce: () => Promise.resolve(),
    ...replace,
  });
}

type Tick = (input: TickInput) => Promise<TickResult>;

let ticks = 0;

const startTick = (input: TickInput) =>
  env.client.workflow.start<Tick>('tick', { workflowId: `tick-${(ticks += 1)}`, taskQueue: TASK_QUEUE, args: [input] });

const AT = '2025-05-05T01:30:00Z';

test('the lookback of a source is what its pipeline plans again', async () => {
  const { activities } = world();
  const worker = await cupelWorker(env, activities);
  await worker.runUntil(async () => {
    const handle = await startTick({ kind: 'pipeline', source: 'a', nominalTime: AT });
    const workflowId = pipelineId('a', '2025-05-03T01:00:00Z', '2025-05-05T02:00:00Z');
    expect(await handle.result()).toEqual({ nominalTime: AT, workflowId, state: 'done' });
    expect(await env.client.workflow.getHandle(workflowId).result()).toMatchObject({ batches: { committed: 1 } });
    await record(handle, 'tick');
  });
});

test.each<[TickInput, string]>([
  [{ kind: 'ingest', source: 's', feed: 'all_hour' }, ingestId('s', 'all_hour', AT)],
  [{ kind: 'nightlyGold' }, goldId('2025-05-04')],
  [{ kind: 'maintain', source: 's' }, maintainId('s', '2025-05-05')],
  [{ kind: 'reconcile', source: 's' }, reconcileId('s', '2025-05-03T01:00:00Z', '2025-05-05T02:00:00Z')],
  [{ kind: 'monitor' }, monitorId(AT)],
])('%o starts the workflow of its logical step', async (input, workflowId) => {
  // What each of them does is tested elsewhere: here it is enough that it begins, and with what.
  const refuse = (): Promise<never> => Promise.reject(cupelError('CUP_SOURCE_UNKNOWN', { source: 'test' }));
  const { activities } = world({
    lookAround: () => Promise.resolve([]),
    ...{ goldSources: refuse, pollFeed: refuse, requestMaintenance: refuse, reconcileBronze: refuse },
  });
  const worker = await cupelWorker(env, activities);
  await worker.runUntil(async () => {
    const handle = await startTick({ ...input, nominalTime: AT });
    if (input.kind === 'monitor') expect(await handle.result()).toMatchObject({ workflowId, state: 'done' });
    else expect(await codeOf(handle.result())).toBe('CUP_SOURCE_UNKNOWN');
    expect((await env.client.workflow.getHandle(workflowId).describe()).type).toBe(input.kind);
  });
});

test('a run that goes on is joined, and its failure is the failure of the tick', async () => {
  const polling = gate();
  const answered = gate();
  const { activities } = world({
    pollFeed: async () => {
      polling.open();
      await answered.opened;
      throw cupelError('CUP_FETCH_REFUSED', { status: 404 });
    },
  });
  const worker = await cupelWorker(env, activities);
  await worker.runUntil(async () => {
    const workflowId = ingestId('j', 'all_hour', AT);
    const input = { source: 'j', feed: 'all_hour', nominalTime: AT };
    const first = await env.client.workflow.start('ingest', { workflowId, taskQueue: TASK_QUEUE, args: [input] });
    await polling.opened;
    const joining = await startTick({ kind: 'ingest', source: 'j', feed: 'all_hour', nominalTime: AT });
    const waits = async (): Promise<boolean> =>
      (await joining.describe()).raw.pendingActivities?.some(
        ({ activityType }) => activityType?.name === 'awaitWorkflow',
      ) ?? false;
    await expect.poll(waits, { timeout: 20_000 }).toBe(true);
    answered.open();
    expect(await codeOf(joining.result())).toBe('CUP_FETCH_REFUSED');
    expect(await codeOf(first.result())).toBe('CUP_FETCH_REFUSED');
  });
});

test('a range that a backfill holds is left to it: nothing fails', async () => {
  const { activities } = world();
  const worker = await cupelWorker(env, activities);
  await worker.runUntil(async () => {
    const holder = await env.client.workflow.start('committer', {
      workflowId: 'a-backfill',
      taskQueue: TASK_QUEUE,
      args: [{ table: 't' }],
    });
    const { acquireLease } = temporalActivities({ temporal: env.client } as ActivityResources);
    const range = { from: '2025-05-01T00:00:00Z', to: '2025-05-04T00:00:00Z' };
    const lease = { range, workflowId: 'a-backfill', runId: holder.firstExecutionRunId };
    await acquireLease({ source: 'h', lease });
    const input: TickInput = { kind: 'pipeline', source: 'h', nominalTime: AT };
    expect(await (await startTick(input)).result()).toMatchObject({ state: 'held', holder: 'a-backfill' });
    await holder.terminate();
    expect(await (await startTick(input)).result()).toMatchObject({ state: 'done' });
  });
});

test('an unknown kind, or one without its source, is refused with what was expected', async () => {
  const worker = await cupelWorker(env, world().activities);
  await worker.runUntil(async () => {
    for (const input of [
      { kind: 'polling' },
      { kind: 'toString' },
      { kind: 'ingest', source: 's' },
      { kind: 'pipeline' },
    ])
      expect(await codeOf((await startTick(input as TickInput)).result())).toBe('CUP_TICK_INPUT');
  });
});

test('a tick takes its nominal time from the schedule, without its jitter', async () => {
  const worker = await cupelWorker(env, world().activities);
  await worker.runUntil(async () => {
    const schedule = await env.client.schedule.create({
      scheduleId: 'polls',
      spec: { intervals: [{ every: '1h' }], jitter: '30m' },
      action: {
        type: 'startWorkflow',
        workflowType: 'tick',
        workflowId: 'tick/polls',
        taskQueue: TASK_QUEUE,
        args: [{ kind: 'ingest', source: 'n', feed: 'all_hour' } satisfies TickInput],
      },
    });
    const nominal = ['2025-05-04T10:00:00Z', '2025-05-04T11:00:00Z'];
    await schedule.backfill({
      start: new Date('2025-05-04T09:59:59Z'),
      end: new Date('2025-05-04T11:30:00Z'), // the server compares it with the time after jitter
      overlap: 'ALLOW_ALL',
    });
    const done = async (): Promise<unknown> =>
      Promise.all(
        nominal.map((at) =>
          env.client.workflow
            .getHandle<Tick>(`tick/polls-${at}`)
            .result()
            .catch((error: Error) => error.message),
        ),
      );
    await expect
      .poll(done, { timeout: 30_000 })
      .toEqual(nominal.map((at) => ({ nominalTime: at, workflowId: ingestId('n', 'all_hour', at), state: 'done' })));
    await schedule.delete();
  });
});
