import { Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { WorkflowHandle } from '@temporalio/client';
import type { Duration } from '@temporalio/common';
import type { Activities } from '../../src/activities/index.ts';
import type { LaunchDataflowJob } from '../../src/activities/dataflow.ts';
import type { FollowStream, StreamSeen } from '../../src/activities/streams.ts';
import { withHeartbeat } from '../../src/activities/heartbeats.ts';
import { cupelError } from '../../src/errors.ts';
import type { OpenBatch } from '../../src/lakehouse/streams/index.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import { resumeStream, stopStream, streamStatus, updateStream } from '../../src/workflows/stream/messages.ts';
import type { StreamInput, StreamResult } from '../../src/workflows/stream/messages.ts';
import { fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

type Stream = (input: StreamInput) => Promise<StreamResult>;

let env: TestWorkflowEnvironment;
let runs = 0;
let stopWorker: (() => Promise<void>) | undefined;
let started: WorkflowHandle<Stream> | undefined;

beforeAll(async () => {
  env = await timeSkipping();
});
afterEach(async () => {
  await started?.terminate().catch(() => undefined); // most have ended
  await stopWorker?.();
  stopWorker = undefined;
});
afterAll(() => env.teardown());

const contract = { hash: 'h', uri: 'gs://ops/contracts/s/h.json', table: 'silver.s', streamed: true };

/** What is seen of a stream that goes on; each look settles a batch of three messages. */
const well = ({ state }: FollowStream): StreamSeen => ({
  state,
  ...{ batches: 1, messages: 3, newest: '2025-01-01T10:20:00.000Z', lagSeconds: 2, droppedAsLate: 0 },
  hours: { '2025-01-01T10': '2025-01-01T07' },
});

const quiet = ({ state }: FollowStream): StreamSeen => ({
  state,
  ...{ batches: 0, messages: 0, lagSeconds: 0, droppedAsLate: 0, hours: {} },
});

const failed = (request: FollowStream, code = 'CUP_DATAFLOW_JOB_FAILED'): StreamSeen => ({
  ...quiet(request),
  end: { how: 'failed', code, message: 'it fell over' },
});

/** Jobs that are launched, and what each look at them sees. */
function fakes(look: (request: FollowStream, number: number) => StreamSeen, replace: Partial<Activities> = {}) {
  const launches: LaunchDataflowJob[] = [];
  const told: string[] = [];
  let drained = false;
  let looks = 0;
  const fake = fakeActivities(0, {
    resolveContract: () => Promise.resolve(contract),
    launchDataflowJob: (spec) => {
      launches.push(spec);
      drained = false;
      return Promise.resolve({ jobId: `job-${launches.length}`, jobName: 'cupel-stream' });
    },
    drainStream: () => {
      drained = true;
      return Promise.resolve();
    },
    followStream: (request) => {
      looks += 1;
      if (request.job && drained) return Promise.resolve({ ...quiet(request), end: { how: 'drained' as const } });
      return Promise.resolve(look(request, looks));
    },
    announce: ({ state, code }) => {
      told.push(`${state}${code ? ` ${code}` : ''}`);
      return Promise.resolve();
    },
    ...replace,
  });
  return { ...fake, launches, told };
}

async function start(activities: Partial<Activities>): Promise<WorkflowHandle<Stream>> {
  runs += 1;
  const worker = await cupelWorker(env, activities);
  const running = worker.run();
  stopWorker = async () => {
    worker.shutdown();
    await running;
  };
  const workflowId = `stream/s${runs}`;
  const args: [StreamInput] = [{ source: 's' }];
  started = await env.client.workflow.start<Stream>('stream', { workflowId, taskQueue: TASK_QUEUE, args });
  return started;
}

/** Until a worker on a busy machine has come so far. */
const WITHIN = { timeout: 45_000 };

/** Lets Temporal's time pass, which it does while somebody waits for it, until a value is seen. */
async function later(see: () => unknown, wanted: unknown, step: Duration = '5 seconds'): Promise<void> {
  const look = async (): Promise<unknown> => {
    await env.sleep(step);
    return see();
  };
  await expect.poll(look, WITHIN).toEqual(wanted);
}

async function end(handle: WorkflowHandle<Stream>): Promise<StreamResult> {
  await handle.signal(stopStream);
  return handle.result();
}

test('one job is launched and watched; stopping drains it and counts what was settled', async () => {
  const fake = fakes(well);
  const handle = await start(fake.activities);
  await expect.poll(async () => (await handle.query(streamStatus)).messages, WITHIN).toBeGreaterThan(5);
  const result = await end(handle);
  expect(result).toMatchObject({ launches: 1, settledThrough: '2025-01-01T10:20:00.000Z' });
  expect(result.messages).toBe(3 * result.batches);
  expect(fake.launches).toMatchObject([
    {
      work: 's',
      template: 'stream',
      parameters: {
        contract: contract.uri,
        subscription: 'stream-s',
        report: expect.stringMatching(/^gs:\/\/ops\/streams\/_reports\/s\/[0-9a-f]+1\.json$/) as string,
      },
    },
  ]);
  expect(fake.calls).not.toContain('planRange');
  expect(fake.told).toEqual([]);
  await record(handle, 'stream');
});

test('after a failure Bronze is replayed from the last committed hour, and then a job is launched again', async () => {
  const ranges: string[] = [];
  const fake = fakes((request, number) => (number === 2 ? failed(request) : well(request)));
  const planRange = fake.activities.planRange as Activities['planRange'];
  fake.activities.planRange = (input) => {
    ranges.push(input.from);
    fake.calls.push(`replay before launch ${fake.launches.length + 1}`);
    return planRange(input);
  };
  const handle = await start(fake.activities);
  await later(() => fake.told, ['healthy']);
  expect(fake.launches).toHaveLength(2);
  // Published at ten, what was polled at seven: Bronze has it there.
  expect(ranges).toEqual(['2025-01-01T07:00:00Z']);
  expect(fake.calls).toContain('replay before launch 2');
  const { lastFailure, failures } = await handle.query(streamStatus);
  expect(lastFailure).toMatchObject({ code: 'CUP_DATAFLOW_JOB_FAILED', message: 'it fell over' });
  expect(failures).toBe(0);
  await end(handle);
  await record(handle, 'stream-failure');
});

test('five failures in a row open the circuit: somebody is told once, and resume launches again', async () => {
  let mended = false;
  const fake = fakes((request) => (mended ? well(request) : failed(request)));
  const handle = await start(fake.activities);
  const phase = async () => (await handle.query(streamStatus)).phase;
  await later(phase, 'open', '1 minute');
  expect(fake.launches).toHaveLength(5);
  expect(fake.told).toEqual(['failed CUP_DATAFLOW_JOB_FAILED']);
  mended = true;
  await handle.signal(resumeStream);
  await expect.poll(() => fake.told, WITHIN).toEqual(['failed CUP_DATAFLOW_JOB_FAILED', 'healthy']);
  expect(fake.launches).toHaveLength(6);
  await end(handle);
});

test('what no launch can cure opens the circuit at once', async () => {
  const fake = fakes((request) => failed(request, 'CUP_PARTITIONS_FAILED'));
  const handle = await start(fake.activities);
  await expect.poll(async () => (await handle.query(streamStatus)).phase, WITHIN).toBe('open');
  expect(fake.launches).toHaveLength(1);
  expect((await end(handle)).launches).toBe(1);
});

test('fields that the contract has to take up are no failure: it has them, and the next job runs under it', async () => {
  const taken: string[] = [];
  const fake = fakes((request, number) => (number === 1 ? failed(request, 'CUP_FIELDS_NEW') : well(request)), {
    takeUpFields: ({ report }) => {
      taken.push(report);
      return Promise.resolve({ uri: 'gs://ops/contracts/s/h2.json' });
    },
  });
  const handle = await start(fake.activities);
  await expect.poll(() => fake.launches.length, WITHIN).toBe(2);
  expect(taken).toEqual([fake.launches[0]?.parameters.report]);
  expect(await end(handle)).toMatchObject({ launches: 2 });
  expect(fake.calls).not.toContain('planRange');
});

test('an update launches a job in place of the running one; one that is refused leaves that alone', async () => {
  let refuse = false;
  const fake = fakes(well);
  const launchDataflowJob = fake.activities.launchDataflowJob as Activities['launchDataflowJob'];
  fake.activities.launchDataflowJob = (spec) =>
    refuse ? Promise.reject(cupelError('CUP_GOOGLE_REFUSED', { service: 'Dataflow' })) : launchDataflowJob(spec);
  const handle = await start(fake.activities);
  await expect.poll(() => fake.launches.length, WITHIN).toBe(1);
  await handle.signal(updateStream);
  await expect.poll(() => fake.launches.length, WITHIN).toBe(2);
  expect(fake.launches.map(({ update }) => update)).toEqual([undefined, true]);
  await expect.poll(async () => (await handle.query(streamStatus)).job?.jobId, WITHIN).toBe('job-2');
  refuse = true;
  await handle.signal(updateStream);
  await expect.poll(async () => (await handle.query(streamStatus)).lastFailure?.code, WITHIN).toBe('CUP_GOOGLE_REFUSED');
  expect((await handle.query(streamStatus)).job?.jobId).toBe('job-2');
  expect(await end(handle)).toMatchObject({ launches: 2 });
});

const open = (batchId: string, number: number): OpenBatch => ({
  ...{ number, batchId, table: 'silver.s', contractUri: contract.uri, at: '2025-01-01T08:30:01.000Z' },
  ...{ messages: 3, oldest: '2025-01-01T08:30:00.000Z', newest: '2025-01-01T08:30:00.000Z', fromHour: '2025-01-01T06' },
});

test('a batch that the committer refuses is let go; the job is drained, its hour replayed, and a job launched again', async () => {
  const ranges: string[] = [];
  const follows: FollowStream['state'][] = [];
  const fake = fakes((request, number) => {
    follows.push(request.state);
    const first = { next: 3, open: [open('bad', 1), open('good', 2)], settled: [] };
    return number === 1 ? { ...quiet(request), state: first } : quiet(request);
  });
  const planRange = fake.activities.planRange as Activities['planRange'];
  fake.activities.planRange = (input) => {
    ranges.push(input.from);
    return planRange(input);
  };
  const handle = await start(fake.activities);
  await expect.poll(async () => (await handle.query(streamStatus)).follow.open.length, WITHIN).toBe(2);
  await handle.signal('refused', [{ batchId: 'bad', code: 'CUP_DELTA_INVALID', message: 'keys' }]);
  await later(() => fake.launches.length, 2);
  expect(ranges).toEqual(['2025-01-01T06:00:00Z']);
  expect(fake.calls).toContain('drainStream');
  const { lastFailure, follow } = await handle.query(streamStatus);
  expect(lastFailure).toMatchObject({ code: 'CUP_DELTA_INVALID', message: 'keys' });
  expect(follow.open.map(({ batchId }) => batchId)).toEqual(['good']);
  // Its entry is known to be over with, so that nobody takes it for one that was overlooked.
  expect(follows.at(-1)?.settled).toContain(1);
  await handle.terminate();
});

test('a source whose contract says nothing of streams is refused at once', async () => {
  const fake = fakes(well, { resolveContract: () => Promise.resolve({ ...contract, streamed: false }) });
  const handle = await start(fake.activities);
  await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'CUP_SOURCE_NOT_STREAMED' } });
  expect(fake.launches).toEqual([]);
});

test('cancelling the workflow drains the job', async () => {
  let watched = false;
  const fake = fakes(well, {
    followStream: () => {
      watched = true;
      return withHeartbeat(() => Context.current().cancelled);
    },
  });
  const handle = await start(fake.activities);
  await expect.poll(() => watched, WITHIN).toBe(true);
  await handle.cancel();
  await expect.poll(() => fake.calls, WITHIN).toContain('drainStream');
  await expect(handle.result()).rejects.toThrow();
});
