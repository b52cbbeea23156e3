import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../src/activities/index.ts';
import type { RedrivePlan } from '../../src/activities/redrive.ts';
import { cupelError } from '../../src/errors.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { RedriveInput, RedriveResult } from '../../src/workflows/redrive-messages.ts';
import { doneOf, fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;
let runs = 0;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());

type Redrive = (input: RedriveInput) => Promise<RedriveResult>;

const planOf = (pages: number): RedrivePlan => {
  const both = { quarantined: pages + 1, accepted: pages };
  const byReason = [{ reasonCode: 'wrong_type', ...both }];
  const counts = { ...both, byReason, partitions: 1, byPartition: [{ partition: 'f/2025-01-01T03', ...both }] };
  const range = { from: '2025-01-01T03:00:00Z', to: '2025-01-01T04:00:00Z' };
  return { counts, folder: 'gs://ops/redrives/p', pages, left: 0, ...(pages ? { range } : {}) };
};

/** A run of so many pages, a chunk each. */
function fakes(pages: number, replace: Partial<Activities> = {}) {
  const marked: { page: number; failed: string[] }[] = [];
  const fake = fakeActivities(0, {
    planRedrive: ({ dryRun }) => Promise.resolve(dryRun ? { ...planOf(pages), pages: 0 } : planOf(pages)),
    prepareRedrive: ({ pageUri }) => {
      const batchId = `batch-${/\d+/.exec(pageUri)?.[0] ?? ''}`;
      const uri = `gs://ops/chunks/${batchId}.json`;
      return Promise.resolve([{ batchId, uri, objects: 1, partitions: 1, published: false }]);
    },
    markRedriven: ({ page, failed }) => {
      marked.push({ page, failed });
      return Promise.resolve(failed.length ? 0 : 1);
    },
    submitBatches: ({ waiter, batchIds }) =>
      env.client.workflow.getHandle(waiter).signal('settled', batchIds.map(doneOf)),
    ...replace,
  });
  return { ...fake, marked };
}

async function run<T>(
  fake: Pick<ReturnType<typeof fakes>, 'activities'>,
  work: (handle: WorkflowHandle<Redrive>) => Promise<T>,
  input: Partial<RedriveInput> = {},
): Promise<T> {
  runs += 1;
  const workflowId = `redrive-${runs}`;
  const worker = await cupelWorker(env, fake.activities);
  return worker.runUntil(async () => {
    const args: [RedriveInput] = [{ source: 's', ...input }];
    return work(await env.client.workflow.start<Redrive>('redrive', { workflowId, taskQueue: TASK_QUEUE, args }));
  });
}

/** The code that the run failed with. */
async function failureOf(handle: WorkflowHandle<Redrive>): Promise<string | undefined> {
  const error: unknown = await handle.result().catch((thrown: unknown) => thrown);
  let at = error as { cause?: unknown; type?: string } | undefined;
  while (at && !at.type?.startsWith('CUP_')) at = at.cause as typeof at;
  return at?.type;
}

const countOf = (calls: string[], name: string): number => calls.filter((call) => call === name).length;

test('each page is processed, settled and then marked; Gold is made once, and the lease comes back', async () => {
  const fake = fakes(2);
  const result = await run(fake, async (handle) => {
    const done = await handle.result();
    await record(handle, 'redrive');
    return done;
  });
  const page = [
    'prepareRedrive',
    'launchDataflowJob',
    'awaitDataflowJob',
    'submitBatches',
    'recordBatches',
    'markRedriven',
  ];
  expect(fake.calls.slice(0, 15)).toEqual(['resolveContract', 'planRedrive', 'acquireLease', ...page, ...page]);
  expect(countOf(fake.calls, 'startDataform')).toBe(1);
  expect(fake.calls.at(-1)).toBe('releaseLease');
  expect(result).toMatchObject({ redriven: 2, batches: { committed: 2, unchanged: 0 }, left: 0, dryRun: false });
});

test('a dry run asks for no lease and does nothing but count', async () => {
  const fake = fakes(3);
  const result = await run(fake, (handle) => handle.result(), { dryRun: true });
  expect(fake.calls).toEqual(['resolveContract', 'planRedrive']);
  expect(result).toMatchObject({ dryRun: true, redriven: 0, counts: { quarantined: 4, accepted: 3 } });
});

test('with nothing that the contract accepts it ends at once', async () => {
  const fake = fakes(0);
  expect(await run(fake, (handle) => handle.result())).toMatchObject({ redriven: 0 });
  expect(fake.calls).toEqual(['resolveContract', 'planRedrive']);
});

test('a range that another run has refuses the re-drive with its code; nothing was touched', async () => {
  const fake = fakes(1, {
    acquireLease: () => Promise.reject(ApplicationFailure.nonRetryable('held by pipeline/s/x', 'CUP_RANGE_LEASED')),
  });
  expect(await run(fake, failureOf)).toBe('CUP_RANGE_LEASED');
  expect(fake.calls).not.toContain('prepareRedrive');
});

test('many pages go through several histories under one lease, and each page is marked once', async () => {
  const fake = fakes(45);
  const result = await run(fake, (handle) => handle.result());
  expect(result).toMatchObject({ redriven: 45, batches: { committed: 45 } });
  expect(fake.marked.map(({ page }) => page)).toEqual(Array.from({ length: 45 }, (_, page) => page));
  expect(countOf(fake.calls, 'planRedrive')).toBe(1);
  expect(countOf(fake.calls, 'acquireLease')).toBe(3); // asking again for one's own is granted
  expect(countOf(fake.calls, 'releaseLease')).toBe(1);
  expect(countOf(fake.calls, 'startDataform')).toBe(1);
});

test('partitions that cannot be processed keep their entries; the other pages are re-driven before the run fails', async () => {
  const fake = fakes(2, {
    awaitDataflowJob: ({ jobName }) =>
      jobName === 'batch-0' ? Promise.reject(cupelError('CUP_DATAFLOW_JOB_FAILED')) : Promise.resolve({}),
  });
  expect(await run(fake, failureOf)).toBe('CUP_PARTITIONS_FAILED');
  expect(fake.marked).toEqual([
    { page: 0, failed: ['gs://ops/chunks/batch-0.json'] },
    { page: 1, failed: [] },
  ]);
  expect(fake.calls).toContain('recordFailures');
  expect(fake.calls.at(-1)).toBe('releaseLease');
});

test('a batch that the committer refuses fails the run before its page is marked, and the lease comes back', async () => {
  const fake = fakes(1, {
    submitBatches: ({ waiter, batchIds }) =>
      env.client.workflow.getHandle(waiter).signal(
        'refused',
        batchIds.map((batchId) => ({ batchId, code: 'CUP_DELTA_INVALID', message: 'bad keys' })),
      ),
  });
  expect(await run(fake, failureOf)).toBe('CUP_DELTA_INVALID');
  expect(fake.marked).toEqual([]);
  expect(fake.calls.at(-1)).toBe('releaseLease');
});
