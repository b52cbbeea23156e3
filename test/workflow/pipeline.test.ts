import { CancelledFailure, Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../src/activities/index.ts';
import { cupelError } from '../../src/errors.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import { doneOf, fakeActivities } from '../support/fake-activities.ts';
import type { FakeActivities } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;
let runs = 0;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());

type Pipeline = (input: { source: string; from: string; to: string }) => Promise<PipelineResult>;

function start(): Promise<WorkflowHandle<Pipeline>> {
  runs += 1;
  return env.client.workflow.start<Pipeline>('pipeline', {
    workflowId: `pipeline-${runs}`,
    taskQueue: TASK_QUEUE,
    args: [{ source: 's', from: '2025-01-01', to: '2025-01-02' }],
  });
}

async function run<T>(fake: FakeActivities, work: (handle: WorkflowHandle<Pipeline>) => Promise<T>): Promise<T> {
  const worker = await cupelWorker(env, fake.activities);
  return worker.runUntil(async () => work(await start()));
}

/** The code that the run failed with. */
async function failureOf(handle: WorkflowHandle<Pipeline>): Promise<string | undefined> {
  const error: unknown = await handle.result().catch((thrown: unknown) => thrown);
  let at = error as { cause?: unknown; type?: string } | undefined;
  while (at && !at.type?.startsWith('CUP_')) at = at.cause as typeof at;
  return at?.type;
}

/** Tells a run that its batches are settled, as the committer does. */
const settle = (waiter: string, batchIds: string[]) =>
  env.client.workflow.getHandle(waiter).signal('settled', batchIds.map(doneOf));

const STAGES = [
  'acquireLease',
  'resolveContract',
  'planRange',
  'validatePlan',
  'launchDataflowJob',
  'awaitDataflowJob',
];
const GOLD = [
  'takeGoldTurn',
  'goldSources',
  'readSilverStates',
  'compileDataform',
  'isMaterialized',
  'startDataform',
  'awaitDataform',
  'recordMaterialization',
  'endGoldTurn',
];

test('a run goes through its stages in order, and gives its lease back', async () => {
  const fake = fakeActivities(1, { submitBatches: ({ waiter, batchIds }) => settle(waiter, batchIds) });
  const result = await run(fake, async (handle) => {
    const done = await handle.result();
    await record(handle, 'pipeline');
    return done;
  });
  expect(fake.calls).toEqual([...STAGES, 'submitBatches', 'recordBatches', ...GOLD, 'releaseLease']);
  expect(result.range).toEqual({ from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' });
  expect(result.batches).toEqual({ committed: 1, unchanged: 0, rows: 3 });
  expect(result.gold.state).toBe('materialized');
});

test('with nothing to do it starts no job, and Gold that is made already is not made again', async () => {
  const fake = fakeActivities(0, { isMaterialized: () => Promise.resolve(true) });
  const result = await run(fake, (handle) => handle.result());
  expect(fake.calls).not.toContain('launchDataflowJob');
  expect(fake.calls).not.toContain('submitBatches');
  expect(fake.calls).not.toContain('startDataform');
  expect(result.gold.state).toBe('unchanged');
});

test('an empty Silver has no Gold', async () => {
  const fake = fakeActivities(0, {
    readSilverStates: () => Promise.resolve({ states: [], asOf: '2025-01-01T00:00:00.000Z' }),
  });
  expect((await run(fake, (handle) => handle.result())).gold.state).toBe('empty');
  expect(fake.calls).not.toContain('compileDataform');
});

test('a chunk whose manifest is there needs no job', async () => {
  const chunk = { batchId: 'batch-1', uri: 'gs://ops/chunks/1.json', objects: 1, partitions: 1, published: true };
  const fake = fakeActivities(1, {
    validatePlan: () => Promise.resolve({ chunks: [chunk], refused: 0 }),
    submitBatches: ({ waiter, batchIds }) => settle(waiter, batchIds),
  });
  expect((await run(fake, (handle) => handle.result())).batches.committed).toBe(1);
  expect(fake.calls).not.toContain('launchDataflowJob');
});

test('what may pass is tried again', async () => {
  let tries = 0;
  const planRange: Activities['planRange'] = () => {
    tries += 1;
    if (tries < 3) return Promise.reject(cupelError('CUP_GOOGLE_UNAVAILABLE'));
    return Promise.resolve({
      planUri: 'p',
      objects: 0,
      partitions: 0,
      donePartitions: 0,
      toProcess: 0,
      missingSlots: 0,
    });
  };
  const fake = fakeActivities(0, { planRange });
  await run(fake, (handle) => handle.result());
  expect(tries).toBe(3);
});

test('what cannot pass fails the run at once with its code, and the lease comes back', async () => {
  const fake = fakeActivities(1, { awaitDataflowJob: () => Promise.reject(cupelError('CUP_GOOGLE_REFUSED')) });
  expect(await run(fake, failureOf)).toBe('CUP_GOOGLE_REFUSED');
  expect(fake.calls.filter((name) => name === 'awaitDataflowJob')).toHaveLength(1);
  expect(fake.calls.at(-1)).toBe('releaseLease');
});

test('a job that crashes twice fails its partitions; the others are committed before the run fails', async () => {
  const ended: string[] = [];
  const awaitDataflowJob: Activities['awaitDataflowJob'] = ({ jobName }) => {
    if (jobName === 'batch-2') return Promise.reject(cupelError('CUP_DATAFLOW_JOB_FAILED'));
    ended.push(jobName);
    return Promise.resolve({});
  };
  const fake = fakeActivities(6, { awaitDataflowJob });
  expect(await run(fake, failureOf)).toBe('CUP_PARTITIONS_FAILED');
  expect(ended.sort()).toEqual(['batch-1', 'batch-3', 'batch-4', 'batch-5', 'batch-6']);
  expect(fake.calls.filter((name) => name === 'launchDataflowJob')).toHaveLength(7);
  expect(fake.calls).toContain('recordMaterialization');
  expect(fake.calls).toContain('recordFailures');
});

test('a refused lease fails the run', async () => {
  const fake = fakeActivities(1, {
    acquireLease: () => Promise.reject(cupelError('CUP_RANGE_LEASED', { holder: 'other' })),
  });
  expect(await run(fake, failureOf)).toBe('CUP_RANGE_LEASED');
  expect(fake.calls).toEqual(['acquireLease']);
});

test('a settled signal that was lost: storage is looked at a minute later', async () => {
  const fake = fakeActivities(1);
  const result = await run(fake, (handle) => handle.result());
  expect(fake.calls).toContain('readOutcomes');
  expect(result.batches.committed).toBe(1);
});

test('a batch that cannot be committed fails the run with its code', async () => {
  const refusal = { batchId: 'batch-1', code: 'CUP_DELTA_INVALID', message: 'keys' };
  const fake = fakeActivities(1, {
    submitBatches: ({ waiter }) => env.client.workflow.getHandle(waiter).signal('refused', [refusal]),
  });
  expect(await run(fake, failureOf)).toBe('CUP_DELTA_INVALID');
});

test('cancelling a run stops its job, waits until it has stopped, and gives the lease back', async () => {
  let awaiting: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (awaiting = resolve));
  let stopped = false;
  const awaitDataflowJob: Activities['awaitDataflowJob'] = async () => {
    const context = Context.current();
    awaiting();
    const beat = setInterval(() => context.heartbeat(), 50);
    await new Promise<void>((resolve) =>
      context.cancellationSignal.addEventListener('abort', () => resolve(), { once: true }),
    );
    clearInterval(beat);
    stopped = true;
    throw new CancelledFailure('the job has stopped');
  };
  const fake = fakeActivities(1, { awaitDataflowJob });
  await run(fake, async (handle) => {
    await reached;
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    await record(handle, 'pipeline-cancelled');
  });
  expect(stopped).toBe(true);
  expect(fake.calls.at(-1)).toBe('releaseLease');
});

test('fields that a job saw are taken up, and the same work is done under the contract that has them', async () => {
  const jobs: unknown[] = [];
  const fake = fakeActivities(1, {
    launchDataflowJob: ({ work, parameters }) => {
      jobs.push([work, parameters.contract]);
      return Promise.resolve({ jobId: work, jobName: work });
    },
    awaitDataflowJob: ({ jobId }) =>
      jobId === 'batch-1' ? Promise.reject(cupelError('CUP_FIELDS_NEW', { job: jobId })) : Promise.resolve({}),
    takeUpFields: () => Promise.resolve({ uri: 'gs://ops/contracts/s/more.json' }),
    moveChunk: ({ contractUri }) =>
      Promise.resolve({
        batchId: `moved to ${contractUri}`,
        uri: 'gs://ops/chunks/moved.json',
        objects: 1,
        partitions: 1,
        published: false,
      }),
    submitBatches: ({ waiter, batchIds }) => settle(waiter, batchIds),
  });
  const result = await run(fake, async (handle) => {
    const done = await handle.result();
    await record(handle, 'pipeline-new-fields');
    return done;
  });
  const moved = 'moved to gs://ops/contracts/s/more.json';
  expect(jobs).toEqual([
    ['batch-1', 'gs://ops/contracts/s/h.json'],
    [moved, 'gs://ops/contracts/s/more.json'],
  ]);
  expect(result.batches).toMatchObject({ committed: 1 });
});
