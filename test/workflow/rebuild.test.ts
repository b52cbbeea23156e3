import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../src/activities/index.ts';
import type { RebuildRequest, RebuiltTable } from '../../src/activities/rebuild.ts';
import { cupelError } from '../../src/errors.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { RebuildInput, RebuildResult } from '../../src/workflows/rebuild.ts';
import { doneOf, fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;
let runs = 0;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());

const contract = { hash: 'new', uri: 'gs://ops/contracts/s/new.json', table: 'silver.s' };
const range = { from: '2025-01-01T00:00:00.000Z', to: '2025-01-02T00:00:00.000Z' };
const rebuilt: RebuiltTable = { snapshotId: '9', rows: 6, bytesWritten: 100 };

function fakes(chunks: number, replace: Partial<Activities> = {}) {
  const planned: (string | undefined)[] = [];
  const quiet = fakeActivities(chunks);
  const planRange = quiet.activities.planRange as Activities['planRange'];
  const fake = fakeActivities(chunks, {
    announceRebuild: () => Promise.resolve({ contract, range }),
    abandonRebuild: () => Promise.resolve(),
    readBronzeRange: () => Promise.resolve({ ...range, to: '2025-01-02T05:00:00.000Z' }),
    requestRebuild: () => Promise.resolve(rebuilt),
    recordRebuild: () => Promise.resolve(),
    announce: () => Promise.resolve(),
    planRange: (input) => {
      planned.push(`${input.to} ${input.reprocess}`);
      return planRange(input);
    },
    submitBatches: ({ waiter, batchIds }) =>
      env.client.workflow.getHandle(waiter).signal('settled', batchIds.map(doneOf)),
    ...replace,
  });
  return { ...fake, planned };
}

type Rebuild = (input: RebuildInput) => Promise<RebuildResult>;

async function run(fake: Pick<ReturnType<typeof fakes>, 'activities'>, keep?: string): Promise<RebuildResult> {
  runs += 1;
  const worker = await cupelWorker(env, fake.activities);
  return worker.runUntil(async () => {
    const start = { workflowId: `rebuild-${runs}`, taskQueue: TASK_QUEUE, args: [{ source: 's' }] as [RebuildInput] };
    const handle = await env.client.workflow.start<Rebuild>('rebuild', start);
    const result = await handle.result();
    if (keep) await record(handle, keep);
    return result;
  });
}

test('all of Bronze is processed anew, the table replaced once, and then what came meanwhile is taken', async () => {
  const asked: RebuildRequest[] = [];
  const fake = fakes(2, {
    requestRebuild: ({ source, contractHash, batchIds }) => {
      asked.push({ source, contractHash, batchIds: batchIds.toSorted() });
      return Promise.resolve(rebuilt);
    },
  });
  const result = await run(fake, 'rebuild');
  expect(asked).toEqual([{ source: 's', contractHash: 'new', batchIds: ['batch-1', 'batch-2'] }]);
  expect(fake.planned).toEqual(['2025-01-02T00:00:00.000Z all', '2025-01-02T05:00:00.000Z stale']);
  expect(result).toMatchObject({
    table: 'silver.s',
    contractHash: 'new',
    batches: 2,
    rebuilt,
    meanwhile: { committed: 2 },
  });
  const order = fake.calls.filter((call) =>
    ['requestRebuild', 'recordRebuild', 'submitBatches', 'startDataform'].includes(call),
  );
  expect(order).toEqual(['requestRebuild', 'recordRebuild', 'submitBatches', 'startDataform']);
});

test('a partition that fails leaves the table as it is, and gives the rebuild up', async () => {
  const fake = fakes(2, {
    awaitDataflowJob: () => Promise.reject(cupelError('CUP_DATAFLOW_JOB_FAILED', { job: 'j' })),
  });
  await expect(run(fake)).rejects.toMatchObject({ cause: { type: 'CUP_REBUILD_INCOMPLETE' } });
  expect(fake.calls).not.toContain('requestRebuild');
  expect(fake.calls).toContain('abandonRebuild');
});

test('a committer rebuilds its table between two groups; a rebuild that cannot be done is told, and commits go on', async () => {
  const done: string[] = [];
  const worker = await cupelWorker(env, {
    rebuildTable: ({ contractHash }) => {
      done.push(`rebuild ${contractHash}`);
      if (contractHash === 'bad') return Promise.reject(cupelError('CUP_DELTA_INVALID', { expected: 'keys' }));
      return Promise.resolve(rebuilt);
    },
    commitBatches: ({ batchIds }) => {
      done.push(`commit ${batchIds.join()}`);
      return Promise.resolve(batchIds.map(doneOf));
    },
    maintainTable: () => Promise.resolve({ compactedFiles: 0, expiredSnapshots: 0, orphans: 0 }),
  });
  await worker.runUntil(async () => {
    const start = { workflowId: 'committer/rebuilt', taskQueue: TASK_QUEUE, args: [{ table: 'silver.s' }] as [object] };
    const handle = await env.client.workflow.start('committer', start);
    const ask = (contractHash: string) =>
      handle.executeUpdate<RebuiltTable, [RebuildRequest]>('rebuildNow', {
        args: [{ source: 's', contractHash, batchIds: ['b'] }],
      });
    await expect(ask('bad')).rejects.toMatchObject({ cause: { type: 'CUP_DELTA_INVALID' } });
    expect(await ask('new')).toEqual(rebuilt);
    const submission = { batchId: 'c', contractUri: contract.uri, waiter: 'nobody' };
    await handle.signal('submit', [submission]);
    await expect.poll(() => done).toEqual(['rebuild bad', 'rebuild new', 'commit c']);
    await record(handle, 'committer-rebuild');
    await handle.terminate();
  });
});
