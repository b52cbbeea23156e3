import type { WorkflowHandle } from '@temporalio/client';
import { ActivityFailure } from '@temporalio/common';
import type { ApplicationFailure } from '@temporalio/common';
import { CancelledFailure, Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../src/activities/index.ts';
import { cupelError } from '../../src/errors.ts';
import type { Health } from '../../src/notifications/index.ts';
import { goldId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { NightlyGoldInput, NightlyGoldResult } from '../../src/workflows/nightly-gold.ts';
import { fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());

type NightlyGold = (input: NightlyGoldInput) => Promise<NightlyGoldResult>;

const LATE = { expected: 24, late: ['s hourly/2025-05-04T23'], lateSlots: 1, closed: false };
const THERE = { expected: 24, late: [], lateSlots: 0, closed: false };
const FRESH = {
  table: 'gold.t',
  state: 'fresh',
  newest: '2025-05-05T00:00:00.000Z',
  by: 'event time',
  ageSeconds: 0,
  promisedSeconds: 7200,
} as const;

interface Recorded {
  date: string;
  state: string;
  detail: object;
}

/** A night whose activities do nothing and remember what they were told. */
function night(replace: Partial<Activities> = {}) {
  const announced: Health[] = [];
  const recorded: Recorded[] = [];
  const fake = fakeActivities(0, {
    lookAtGoldDay: () => Promise.resolve(THERE),
    dryRunGold: () => Promise.resolve({ bytes: 1234, biggest: [], unknown: [] }),
    cancelDataform: () => Promise.resolve(),
    passAssertions: () => Promise.resolve(),
    measureFreshness: () => Promise.resolve([FRESH]),
    sampleAssertions: () =>
      Promise.resolve([{ assertion: 'gold_assertions.t', reason: 'Assertion failed, expected zero rows, got 3' }]),
    recordGold: (ended) => Promise.resolve(void recorded.push(ended)),
    announce: (health) => Promise.resolve(void announced.push(health)),
    ...replace,
  });
  return { ...fake, announced, recorded };
}

async function run<T>(
  { activities }: Pick<ReturnType<typeof night>, 'activities'>,
  work: (handle: WorkflowHandle<NightlyGold>) => Promise<T>,
  input: Partial<NightlyGoldInput> = {},
): Promise<T> {
  const worker = await cupelWorker(env, activities);
  return worker.runUntil(async () => {
    const handle = await env.client.workflow.start<NightlyGold>('nightlyGold', {
      workflowId: goldId('2025-05-04'),
      taskQueue: TASK_QUEUE,
      args: [{ date: '2025-05-04', ...input }],
    });
    return work(handle);
  });
}

/** Minutes that a run took, of its own time: the server skips ahead for other reasons too. */
async function minutesOf(handle: WorkflowHandle<NightlyGold>): Promise<number> {
  await handle.result();
  const { startTime, closeTime } = await handle.describe();
  return ((closeTime?.getTime() ?? NaN) - startTime.getTime()) / 60_000;
}

async function failureOf(handle: WorkflowHandle<NightlyGold>): Promise<ApplicationFailure> {
  const error: unknown = await handle.result().catch((thrown: unknown) => (thrown as Error).cause);
  return (error instanceof ActivityFailure ? error.cause : error) as ApplicationFailure;
}

test('a night compiles once, asks what it costs, runs, and says how fresh the tables are', async () => {
  const fake = night();
  const result = await run(fake, async (handle) => {
    const done = await handle.result();
    await record(handle, 'nightly-gold');
    return done;
  });
  expect(fake.calls).toEqual([
    'goldSources',
    'lookAtGoldDay',
    'takeGoldTurn',
    'readSilverStates',
    'compileDataform',
    'isMaterialized',
    'dryRunGold',
    'startDataform',
    'awaitDataform',
    'recordMaterialization',
    'passAssertions',
    'endGoldTurn',
    'measureFreshness',
    'announce',
    'recordGold',
    'announce',
  ]);
  expect(result).toEqual({
    date: '2025-05-04',
    state: 'materialized',
    asOf: '2025-01-01T00:00:00.000Z',
    invocation: 'invocation',
    bytes: 1234,
    late: [],
    lateSlots: 0,
    freshness: [FRESH],
  });
  expect(fake.recorded).toMatchObject([{ date: '2025-05-04', state: 'materialized' }]);
  expect(fake.announced).toMatchObject([
    { subject: 'freshness/gold.t', state: 'healthy' },
    { subject: 'gold', source: 'gold', state: 'healthy', workflowId: 'gold/2025-05-04' },
  ]);
});

test('it waits for late partitions, and goes on when they are there', async () => {
  let looks = 0;
  const fake = night({
    lookAtGoldDay: () => {
      looks += 1;
      return Promise.resolve(looks < 4 ? LATE : THERE);
    },
  });
  const minutes = await run(fake, minutesOf);
  expect(looks).toBe(4);
  expect(fake.recorded).toMatchObject([{ detail: { late: [], lateSlots: 0 } }]);
  expect(minutes).toBeGreaterThan(14);
  expect(minutes).toBeLessThan(30);
});

test('after the deadline it goes on with what is there, and says what is not', async () => {
  const fake = night({ lookAtGoldDay: () => Promise.resolve(LATE) });
  const minutes = await run(fake, async (handle) => {
    const taken = await minutesOf(handle);
    await record(handle, 'nightly-gold-late');
    expect(await handle.result()).toMatchObject({
      state: 'materialized',
      late: ['s hourly/2025-05-04T23'],
      lateSlots: 1,
    });
    expect((await handle.fetchHistory()).events?.length).toBeLessThan(600);
    return taken;
  });
  expect(minutes).toBeGreaterThanOrEqual(180);
  expect(minutes).toBeLessThan(190);
});

test('a deadline may be given; an old day is not waited for unless it is', async () => {
  const timeOf = (closed: boolean, deadline?: string): Promise<number> => {
    const fake = night({ lookAtGoldDay: () => Promise.resolve({ ...LATE, closed }) });
    return run(fake, minutesOf, deadline ? { deadline } : {});
  };
  expect(await timeOf(true)).toBeLessThan(5);
  expect(await timeOf(true, '40m')).toBeGreaterThanOrEqual(40);
  expect(await timeOf(false, '2025-05-05T03:00:00Z')).toBeLessThan(5);
});

test('a person can make it go on', async () => {
  const fake = night({ lookAtGoldDay: () => Promise.resolve(LATE) });
  const minutes = await run(fake, async (handle) => {
    await handle.signal('goOn');
    return minutesOf(handle);
  });
  expect(fake.recorded).toMatchObject([{ detail: { lateSlots: 1 } }]);
  expect(minutes).toBeLessThan(60);
});

test('failed assertions are told, entered with their sample, and fail the run; nothing runs again', async () => {
  const fake = night({ awaitDataform: () => Promise.reject(cupelError('CUP_DATAFORM_ASSERTION_FAILED')) });
  const failure = await run(fake, async (handle) => {
    const thrown = await failureOf(handle);
    await record(handle, 'nightly-gold-assertions');
    return thrown;
  });
  expect(failure).toMatchObject({ type: 'CUP_DATAFORM_ASSERTION_FAILED', nonRetryable: true });
  expect(failure.details?.[0]).toMatchObject({
    state: 'assertions-failed',
    assertions: [{ assertion: 'gold_assertions.t', reason: 'Assertion failed, expected zero rows, got 3' }],
  });
  expect(fake.calls.filter((name) => name === 'startDataform')).toHaveLength(1);
  expect(fake.calls).toContain('sampleAssertions');
  expect(fake.calls).not.toContain('recordMaterialization');
  expect(fake.recorded).toMatchObject([{ state: 'assertions-failed' }]);
  expect(fake.announced).toMatchObject([{ subject: 'gold', state: 'failed', code: 'CUP_DATAFORM_ASSERTION_FAILED' }]);
  expect(fake.announced[0]?.reason).toContain('gold_assertions.t');
});

test('above the cap nothing is started, and people hear of it', async () => {
  const fake = night({
    dryRunGold: () => Promise.reject(cupelError('CUP_GOLD_BYTES_CAP', { bytes: 2, cap: 1, biggest: 'gold.t 2' })),
  });
  expect(await run(fake, failureOf)).toMatchObject({ type: 'CUP_GOLD_BYTES_CAP' });
  expect(fake.calls).not.toContain('startDataform');
  expect(fake.recorded).toMatchObject([{ state: 'failed', detail: { code: 'CUP_GOLD_BYTES_CAP' } }]);
  expect(fake.announced).toMatchObject([{ state: 'failed', code: 'CUP_GOLD_BYTES_CAP' }]);
  expect(fake.announced[0]?.reason).toContain('gold.t 2');
});

test('what a remote system says is not told to people, and one who cannot be told hides nothing', async () => {
  const reasons: string[] = [];
  const fake = night({
    awaitDataform: () => Promise.reject(cupelError('CUP_DATAFORM_INVOCATION_FAILED', { actions: 'Bad value: secret' })),
    announce: ({ reason }) => {
      reasons.push(reason);
      return Promise.reject(cupelError('CUP_WEBHOOK_REFUSED'));
    },
  });
  expect(await run(fake, failureOf)).toMatchObject({ type: 'CUP_DATAFORM_INVOCATION_FAILED' });
  expect(reasons).toEqual(['failed with CUP_DATAFORM_INVOCATION_FAILED; the workflow says more']);
});

test('what is made already is not made again but by other tags, and an empty Silver has no Gold', async () => {
  const made = night({ isMaterialized: () => Promise.resolve(true) });
  expect(await run(made, (handle) => handle.result())).toMatchObject({ state: 'unchanged', freshness: [FRESH] });
  expect(made.calls).not.toContain('startDataform');
  expect(await run(made, (handle) => handle.result(), { tags: ['weekly'] })).toMatchObject({ state: 'materialized' });
  expect(made.calls).not.toContain('recordMaterialization');
  const empty = night({
    readSilverStates: () => Promise.resolve({ states: [], asOf: '2025-01-01T00:00:00.000Z' }),
  });
  expect(await run(empty, (handle) => handle.result())).toMatchObject({ state: 'empty', asOf: null, freshness: [] });
  expect(empty.calls).not.toContain('compileDataform');
});

test('what Dataform forgot is compiled and made anew', async () => {
  let lost = 0;
  const forget = (): Promise<void> => {
    lost += 1;
    return lost < 3 ? Promise.reject(cupelError('CUP_DATAFORM_LOST')) : Promise.resolve();
  };
  const fake = night({ awaitDataform: forget });
  expect(await run(fake, (handle) => handle.result())).toMatchObject({ state: 'materialized' });
  expect(fake.calls.filter((name) => name === 'compileDataform')).toHaveLength(3);
  lost = -10;
  expect(await run(night({ awaitDataform: forget }), failureOf)).toMatchObject({ type: 'CUP_DATAFORM_LOST' });
});

test('a table that turns stale is told, and the night succeeds all the same', async () => {
  const fake = night({ measureFreshness: () => Promise.resolve([{ ...FRESH, state: 'stale' as const }]) });
  await run(fake, (handle) => handle.result());
  expect(fake.announced).toMatchObject([
    { subject: 'freshness/gold.t', state: 'failed' },
    { subject: 'gold', state: 'healthy' },
  ]);
});

test('cancelling stops the invocation, and is no failure to tell', async () => {
  let stopped = false;
  const fake = night({
    cancelDataform: () => Promise.resolve(void (stopped = true)),
    async awaitDataform() {
      if (stopped) throw cupelError('CUP_DATAFORM_CANCELLED');
      const { cancellationSignal } = Context.current();
      const beat = setInterval(() => Context.current().heartbeat(), 50);
      await new Promise((resolve) => cancellationSignal.addEventListener('abort', resolve));
      clearInterval(beat);
      throw new CancelledFailure('ended');
    },
  });
  await run(fake, async (handle) => {
    await expect.poll(() => fake.calls.includes('awaitDataform'), { timeout: 20_000 }).toBe(true);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    await record(handle, 'nightly-gold-cancelled');
  });
  // The turn is another's only when the invocation has ended.
  expect(fake.calls.slice(-3)).toEqual(['cancelDataform', 'awaitDataform', 'endGoldTurn']);
  expect(fake.announced).toEqual([]);
});

test('a date that is none is refused', async () => {
  const fake = night();
  expect(await run(fake, failureOf, { date: '2025-02-30' })).toMatchObject({ type: 'CUP_RANGE_INVALID' });
});
