import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { goldTurnActivities } from '../../src/activities/gold-turn.ts';
import type { Activities, ActivityResources } from '../../src/activities/index.ts';
import type { SilverState } from '../../src/activities/silver.ts';
import { temporalActivities } from '../../src/activities/temporal.ts';
import { cupelError } from '../../src/errors.ts';
import { goldTurnsId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { Place, TurnAnswer, TurnHolder } from '../../src/workflows/gold-turn-messages.ts';
import type { goldTurns } from '../../src/workflows/gold-turns.ts';
import type { NightlyGoldResult } from '../../src/workflows/nightly-gold.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import { fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());
/** There is one entity: no test leaves it to the next. */
afterEach(async () => {
  await entity()
    .terminate()
    .catch(() => undefined);
});

const entity = (): WorkflowHandle<typeof goldTurns> => env.client.workflow.getHandle<typeof goldTurns>(goldTurnsId());

const holderOf = (workflowId: string): TurnHolder => ({ workflowId, runId: `run-of-${workflowId}` });

const take = (workflowId: string): Promise<TurnAnswer> =>
  entity().executeUpdate<TurnAnswer, [TurnHolder]>('takeTurn', { args: [holderOf(workflowId)] });

const end = (workflowId: string): Promise<void> =>
  entity().executeUpdate<void, [TurnHolder]>('endTurn', { args: [holderOf(workflowId)] });

const queue = async (): Promise<string[]> =>
  (await entity().query<Place[]>('turns')).map(({ workflowId }) => workflowId);

const startEntity = (places: string[] = []) =>
  env.client.workflow.start('goldTurns', {
    workflowId: goldTurnsId(),
    taskQueue: TASK_QUEUE,
    args: [
      places.length
        ? { queue: places.map((id) => ({ ...holderOf(id), since: '2025-01-01T00:00:00.000Z', asked: 1 })) }
        : {},
    ],
  });

const YOURS: TurnAnswer = { yours: true, ahead: 0 };

test('one has the turn, the others wait in the order in which they came, and giving back nothing is no error', async () => {
  const worker = await cupelWorker(env, { isRunning: () => Promise.resolve(true) });
  await worker.runUntil(async () => {
    await startEntity();
    expect(await take('a')).toEqual(YOURS);
    const told: string[] = [];
    const waiters = [];
    for (const id of ['b', 'c']) {
      waiters.push(take(id).then((answer) => answer.yours && told.push(id)));
      await expect.poll(async () => (await queue()).includes(id), { timeout: 20_000 }).toBe(true);
    }
    await end('nobody');
    expect(told).toEqual([]);
    await end('a');
    await waiters[0];
    expect(told).toEqual(['b']);
    expect(await queue()).toEqual(['b', 'c']);
    await end('a');
    await end('b');
    await waiters[1];
    await end('c');
    expect(await queue()).toEqual([]);
    await record(entity(), 'gold-turns');
  });
});

test('who asks again, since an answer was lost, has one place, and the turn at once where it is its own', async () => {
  const worker = await cupelWorker(env, { isRunning: () => Promise.resolve(true) });
  await worker.runUntil(async () => {
    await startEntity();
    await take('a');
    expect(await take('a')).toEqual(YOURS);
    const lost = take('b');
    await expect.poll(queue, { timeout: 20_000 }).toEqual(['a', 'b']);
    const again = take('b');
    expect(await lost).toEqual({ yours: false, ahead: 1 }); // only the newest question is kept open
    expect(await queue()).toEqual(['a', 'b']);
    await end('a');
    expect(await again).toEqual(YOURS);
    await end('b');
    expect(await queue()).toEqual([]);
  });
});

test('a holder that is gone loses the turn, and one of which nobody knows does not', async () => {
  let unknown = true;
  const { isRunning } = temporalActivities({ temporal: env.client } as ActivityResources);
  const worker = await cupelWorker(env, {
    isRunning: (run) => (unknown ? Promise.reject(cupelError('CUP_GOOGLE_REFUSED')) : isRunning(run)),
  });
  await worker.runUntil(async () => {
    await startEntity();
    // A run that never ends stands for the pipelines that make Gold.
    const run = await env.client.workflow.start('source', {
      workflowId: 'holder',
      taskQueue: TASK_QUEUE,
      args: [{ source: 's' }],
    });
    const holder = { workflowId: 'holder', runId: run.firstExecutionRunId };
    await entity().executeUpdate<TurnAnswer, [TurnHolder]>('takeTurn', { args: [holder] });
    const waiter = take('b');
    const both = ['holder', 'b'];
    await expect.poll(queue, { timeout: 20_000 }).toEqual(both);
    await env.sleep('5 minutes');
    expect(await queue()).toEqual(both);
    unknown = false;
    await env.sleep('5 minutes');
    expect(await queue()).toEqual(both);
    await run.terminate();
    await env.sleep('90 seconds');
    expect(await waiter).toEqual(YOURS);
    expect(await queue()).toEqual(['b']);
    await record(entity(), 'gold-turns-dead');
  });
});

test('who stands far behind is told so, since Temporal keeps ten questions open and no more', async () => {
  const worker = await cupelWorker(env, { isRunning: () => Promise.resolve(true) });
  await worker.runUntil(async () => {
    await startEntity(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(await take('h')).toEqual({ yours: false, ahead: 7 });
    expect(await take('g')).toEqual({ yours: false, ahead: 6 });
    const near = take('f');
    for (const id of ['a', 'b', 'c', 'd', 'e']) await end(id);
    expect(await near).toEqual(YOURS);
    expect(await queue()).toEqual(['f', 'g', 'h']);
  });
});

/** Dataform and Silver as runs see them: which invocations run, and what was entered for each source. */
function world(replace: Partial<Activities> = {}) {
  const resources = { temporal: env.client, environment: { pollIntervalMs: 50 } } as unknown as ActivityResources;
  const { isRunning } = temporalActivities(resources);
  const running = new Set<string>();
  const overlaps: string[] = [];
  const made = new Map<string, string>();
  const partly = new Map<string, string>();
  const silver: SilverState[] = [
    { source: 'a', snapshotId: '1', rawTable: 'a' },
    { source: 'b', snapshotId: '1' },
    { source: 'c', snapshotId: '1', rawTable: 'c' },
  ];
  let started = 0;
  const fake = fakeActivities(0, {
    ...goldTurnActivities(resources),
    isRunning,
    goldSources: () => Promise.resolve(['a', 'b', 'c', 'empty']),
    readSilverStates: ({ sources, others = [] }) =>
      Promise.resolve({
        asOf: new Date().toISOString(),
        states: silver.filter(({ source }) => [...sources, ...others].includes(source)),
      }),
    readRawTables: () => Promise.resolve(['c']),
    isMaterialized: ({ source, fingerprint, byOthers }) =>
      Promise.resolve(made.get(source) === fingerprint || (byOthers && partly.get(source) === fingerprint)),
    startDataform() {
      started += 1;
      const invocation = `invocation-${started}`;
      if (running.size) overlaps.push(invocation);
      running.add(invocation);
      return Promise.resolve(invocation);
    },
    async awaitDataform({ invocation }) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      running.delete(invocation);
    },
    recordMaterialization(entered) {
      for (const { source, fingerprint, byOthers } of entered.made) (byOthers ? partly : made).set(source, fingerprint);
      return Promise.resolve();
    },
    lookAtGoldDay: () => Promise.resolve({ expected: 0, late: [], lateSlots: 0, closed: true }),
    dryRunGold: () => Promise.resolve({ bytes: 1, biggest: [], unknown: [] }),
    passAssertions: () => Promise.resolve(),
    measureFreshness: () => Promise.resolve([]),
    recordGold: () => Promise.resolve(),
    announce: () => Promise.resolve(),
    ...replace,
  });
  return { ...fake, running, overlaps, made, partly, silver };
}

let runs = 0;

function startPipeline(source: string) {
  runs += 1;
  return env.client.workflow.start<(input: object) => Promise<PipelineResult>>('pipeline', {
    workflowId: `pipeline/${source}/${runs}`,
    taskQueue: TASK_QUEUE,
    args: [{ source, from: '2025-01-01', to: '2025-01-02' }],
  });
}

function startNight() {
  runs += 1;
  return env.client.workflow.start<(input: object) => Promise<NightlyGoldResult>>('nightlyGold', {
    workflowId: `gold/${runs}`,
    taskQueue: TASK_QUEUE,
    args: [{ date: '2025-01-01' }],
  });
}

const countOf = (calls: string[], name: string): number => calls.filter((call) => call === name).length;

test('runs that end together never have two invocations at once, and who was covered runs none', async () => {
  const seen = world();
  const worker = await cupelWorker(env, seen.activities);
  await worker.runUntil(async () => {
    const handles = await Promise.all([startPipeline('a'), startPipeline('b'), startPipeline('a')]);
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results.map(({ gold }) => gold.state).sort()).toEqual(['materialized', 'unchanged', 'unchanged']);
    expect(countOf(seen.calls, 'startDataform')).toBe(1);
    // Gold reads c from raw too: only its own run speaks for that.
    expect(Object.fromEntries(seen.made)).toEqual({ a: '1/c', b: '1/c' });
    expect(Object.fromEntries(seen.partly)).toEqual({ c: '1/c' });
    const night = await startNight();
    expect((await night.result()).state).toBe('unchanged');
    const own = await startPipeline('c');
    expect((await own.result()).gold.state).toBe('materialized');
    expect(seen.made.get('c')).toBe('1/c');
    expect((await (await startPipeline('c')).result()).gold.state).toBe('unchanged');
    expect(seen.overlaps).toEqual([]);
    expect(await queue()).toEqual([]);
  });
});

test('what is committed while a run waits is in the Gold that it makes', async () => {
  let isHeld = true;
  const seen = world({
    async awaitDataform({ invocation }) {
      await expect.poll(() => isHeld, { timeout: 20_000 }).toBe(false);
      seen.running.delete(invocation);
    },
  });
  const worker = await cupelWorker(env, seen.activities);
  await worker.runUntil(async () => {
    const first = await startPipeline('a');
    await expect.poll(() => seen.running.size, { timeout: 20_000 }).toBe(1);
    const second = await startNight();
    await expect.poll(queue, { timeout: 20_000 }).toHaveLength(2);
    // The view of who has the turn is older than this; the one of who waits must not be.
    if (seen.silver[1]) seen.silver[1].snapshotId = '2';
    isHeld = false;
    expect((await first.result()).gold.state).toBe('materialized');
    expect((await second.result()).state).toBe('materialized');
    expect(seen.overlaps).toEqual([]);
    expect(seen.made.get('b')).toBe('2/c');
  });
});

test('a run that is cancelled while it waits leaves the queue', async () => {
  const seen = world({
    awaitDataform: async () => {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      throw cupelError('CUP_GOOGLE_UNAVAILABLE'); // and it is waited for again
    },
  });
  const worker = await cupelWorker(env, seen.activities);
  await worker.runUntil(async () => {
    const holder = await startPipeline('a');
    await expect.poll(() => seen.calls.includes('awaitDataform'), { timeout: 20_000 }).toBe(true);
    const cancelled = await startPipeline('b');
    await expect.poll(queue, { timeout: 20_000 }).toHaveLength(2);
    await cancelled.cancel();
    await expect(cancelled.result()).rejects.toThrow();
    expect(await queue()).toEqual([holder.workflowId]);
    await holder.terminate();
  });
});
