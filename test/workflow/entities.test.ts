import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cupelError } from '../../src/errors.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { Lease } from '../../src/workflows/source.ts';
import { doneOf } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());

const lease = (workflowId: string, from: string, to: string): Lease => ({
  workflowId,
  runId: `run-of-${workflowId}`,
  range: { from, to },
});
const acquire = (
  handle: { executeUpdate: (name: string, options: { args: [Lease] }) => Promise<unknown> },
  wanted: Lease,
) => handle.executeUpdate('acquireLease', { args: [wanted] });

test('a source grants a range once, to whoever asks first, and takes back what a dead holder holds', async () => {
  const alive = new Set(['a', 'b']);
  const worker = await cupelWorker(env, { isRunning: ({ workflowId }) => Promise.resolve(alive.has(workflowId)) });
  await worker.runUntil(async () => {
    const handle = await env.client.workflow.start('source', {
      workflowId: 'source/s',
      taskQueue: TASK_QUEUE,
      args: [{ source: 's' }],
    });
    await acquire(handle, lease('a', '2025-01-01T00:00:00Z', '2025-01-02T00:00:00Z'));
    await acquire(handle, lease('a', '2025-01-01T00:00:00Z', '2025-01-02T00:00:00Z')); // its own, again
    await acquire(handle, lease('b', '2025-01-02T00:00:00Z', '2025-01-03T00:00:00Z')); // touches, does not overlap
    const overlapping = lease('c', '2025-01-01T12:00:00Z', '2025-01-01T13:00:00Z');
    await expect(acquire(handle, overlapping)).rejects.toMatchObject({
      cause: { type: 'CUP_RANGE_LEASED', details: [{ holder: 'a' }] },
    });
    alive.delete('a');
    await acquire(handle, overlapping);
    await handle.executeUpdate('releaseLease', { args: [{ workflowId: 'b', runId: 'run-of-b' }] });
    expect(await handle.query('leases')).toEqual([overlapping]);
    await record(handle, 'source');
    await handle.terminate();
  });
});

const submission = (batchId: string, waiter: string) => ({
  batchId,
  contractUri: 'gs://ops/contracts/s/h.json',
  waiter,
});

test('a committer takes waiting batches together, and a batch that is refused stops no other', async () => {
  const groups: string[][] = [];
  const worker = await cupelWorker(env, {
    commitBatches({ batchIds }) {
      groups.push(batchIds);
      if (batchIds.includes('bad')) return Promise.reject(cupelError('CUP_DELTA_INVALID', { rows: 1 }));
      return Promise.resolve(batchIds.map(doneOf));
    },
    maintainTable: () => Promise.resolve({ compactedFiles: 0, expiredSnapshots: 0, orphans: 0 }),
  });
  await worker.runUntil(async () => {
    // A run that waits without end stands for the pipelines that wait.
    const waiter = await env.client.workflow.start('source', {
      workflowId: 'waiter',
      taskQueue: TASK_QUEUE,
      args: [{ source: 'w' }],
    });
    const handle = await env.client.workflow.signalWithStart('committer', {
      workflowId: 'committer/silver.s',
      taskQueue: TASK_QUEUE,
      args: [{ table: 'silver.s' }],
      signal: 'submit',
      signalArgs: [
        [
          submission('one', 'waiter'),
          submission('one', 'waiter'),
          submission('bad', 'gone'),
          submission('two', 'waiter'),
        ],
      ],
    });
    const signals = async () => {
      const { events } = await waiter.fetchHistory();
      return (events ?? []).flatMap((event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? []);
    };
    await expect.poll(signals, { timeout: 20_000 }).toEqual(['settled', 'settled']);
    expect(groups[0]).toEqual(['one', 'bad', 'two']);
    expect(groups.slice(1).flat().sort()).toEqual(['bad', 'one', 'two']);
    await expect.poll(() => handle.query('waiting')).toEqual([]);
    await record(handle, 'committer');
    await handle.terminate();
    await waiter.terminate();
  });
});

test('a poll that came too late is entered as a gap; one without a time is refused', async () => {
  const gaps: unknown[] = [];
  const result = {
    object: 'o',
    alreadyLanded: false,
    state: 'gap' as const,
    carrierOrder: '1',
    bytes: 1,
    records: 1,
    published: 1,
  };
  const worker = await cupelWorker(env, {
    pollFeed: () => Promise.resolve(result),
    recordGap(gap) {
      gaps.push(gap);
      return Promise.resolve();
    },
  });
  await worker.runUntil(async () => {
    const options = { taskQueue: TASK_QUEUE };
    const poll = { source: 's', feed: 'all_hour', nominalTime: '2025-01-01T13:00:00Z' };
    const handle = await env.client.workflow.start('ingest', { ...options, workflowId: 'ingest-1', args: [poll] });
    expect(await handle.result()).toEqual(result);
    await record(handle, 'ingest');
    const wrong = env.client.workflow.execute('ingest', {
      ...options,
      workflowId: 'ingest-2',
      args: [{ ...poll, nominalTime: 'noon' }],
    });
    await expect(wrong).rejects.toMatchObject({ cause: { type: 'CUP_RANGE_INVALID' } });
  });
  expect(gaps).toEqual([{ source: 's', feed: 'all_hour', nominalTime: '2025-01-01T13:00:00Z', object: 'o' }]);
});
