import type { WorkflowFailedError } from '@temporalio/client';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../src/activities/index.ts';
import { cupelError } from '../../src/errors.ts';
import {
  approve,
  pause,
  reject,
  resume,
  retryFailed,
  setConcurrency,
  statusQuery,
  stop,
} from '../../src/workflows/backfill/messages.ts';
import type { BackfillInput, BackfillStatus } from '../../src/workflows/backfill/messages.ts';
import { codeOf, gate, heldJobs, runBackfill, startBackfill } from '../support/backfills.ts';
import type { BackfillHandle } from '../support/backfills.ts';
import { fakeBackfill, partitionOf } from '../support/fake-backfill.ts';
import type { FakeBackfill } from '../support/fake-backfill.ts';
import { record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());

const run = <T>(
  fake: FakeBackfill,
  input: Partial<BackfillInput>,
  work: (handle: BackfillHandle) => Promise<T>,
): Promise<T> => runBackfill(env, fake, input, work);
const start = (input: Partial<BackfillInput>): Promise<BackfillHandle> => startBackfill(env, input);

test('every chunk is processed and committed once, so many at once and not more, and Gold is made once', async () => {
  const fake = fakeBackfill(env.client, { chunks: 12, perChunk: 2 });
  const result = await run(fake, { maxConcurrency: 3 }, async (handle) => {
    const done = await handle.result();
    await record(handle, 'backfill');
    await record(env.client.workflow.getHandle(`${handle.workflowId}/${partitionOf(0)}`), 'backfill-chunk');
    return done;
  });
  expect(new Set(fake.committed).size).toBe(12);
  expect(fake.committed).toHaveLength(12);
  expect(fake.jobs.most).toBeLessThanOrEqual(3);
  expect(result.status).toMatchObject({
    phase: 'done',
    partitions: { total: 24, done: 24, failed: 0, running: 0, remaining: 0 },
    chunks: { total: 12, done: 12 },
    rows: 36,
  });
  expect(fake.calls.filter((call) => call === 'startDataform')).toHaveLength(1);
  expect(fake.announced).toEqual([expect.stringMatching(/^backfill\/\S+ healthy$/)]);
  expect(fake.calls.at(-1)).toBe('releaseLease');
});

test('a backfill that pulls says so to its plan, and its run names the pull in every chunk and in the proof', async () => {
  const told: Record<string, unknown>[] = [];
  const fake = fakeBackfill(env.client, { chunks: 2 });
  const { planBackfill, prepareChunk, verifyPlan } = fake.activities as Activities;
  Object.assign(fake.activities, {
    planBackfill: (input) => (told.push({ mode: input.mode }), planBackfill(input)),
    prepareChunk: (input) => (told.push({ again: input.again, openOnly: input.openOnly }), prepareChunk(input)),
    verifyPlan: (input) => (told.push({ run: input.run }), verifyPlan(input)),
  } satisfies Partial<Activities>);
  const runId = await run(fake, { mode: 'pull', maxConcurrency: 1 }, async (handle) => {
    await handle.result();
    return handle.firstExecutionRunId;
  });
  expect(told).toEqual([{ mode: 'pull' }, { again: runId }, { again: runId }, { run: runId }]);
});

test('a plan of nothing starts nothing', async () => {
  const fake = fakeBackfill(env.client, { chunks: 0 });
  const { status } = await run(fake, {}, (handle) => handle.result());
  expect(status.partitions.total).toBe(0);
  expect(fake.calls).not.toContain('prepareChunk');
});

test('a history that grows starts anew and loses nothing', async () => {
  const fake = fakeBackfill(env.client, { chunks: 450 });
  const { status, last, first } = await run(fake, { maxConcurrency: 30 }, async (handle) => {
    const done = await handle.result();
    const last = await env.client.workflow.getHandle(handle.workflowId).describe();
    return { ...done, last, first: handle.firstExecutionRunId };
  });
  expect(status.chunks).toMatchObject({ total: 450, done: 450 });
  expect(new Set(fake.committed).size).toBe(450);
  expect(fake.committed).toHaveLength(450);
  expect(last.runId).not.toBe(first);
  expect(last.historyLength).toBeLessThan(4_000);
}, 120_000);

test('partitions that a job names are set aside, the rest goes on, and the backfill says what to type', async () => {
  const bad = partitionOf(1);
  const fake = fakeBackfill(
    env.client,
    { chunks: 3, perChunk: 2 },
    {
      awaitDataflowJob: ({ jobName }) =>
        jobName === `batch-${partitionOf(0)}`
          ? Promise.reject(cupelError('CUP_PARTITIONS_FAILED', { partitions: 1 }))
          : Promise.resolve({}),
      readFailureReport: () => Promise.resolve([{ partition: bad, code: 'CUP_QUARANTINE_CAP' }]),
      recutChunk: ({ without }) => {
        expect(without).toEqual([bad]);
        return Promise.resolve({
          batchId: 'rest',
          uri: 'gs://ops/chunks/rest.json',
          objects: 1,
          partitions: 1,
          published: false,
        });
      },
    },
  );
  await run(fake, {}, async (handle) => {
    const failure = (await handle.result().catch((error: unknown) => error)) as WorkflowFailedError;
    expect(failure.cause?.message).toContain(`cupel backfill retry ${handle.workflowId}`);
    expect(fake.announced).toEqual([expect.stringMatching(/^backfill\/\S+ failed CUP_BACKFILL_INCOMPLETE$/)]);
    const status = await handle.query(statusQuery);
    expect(status.partitions).toMatchObject({ done: 5, failed: 1 });
    expect(status.failures).toMatchObject([{ partition: bad, code: 'CUP_QUARANTINE_CAP' }]);
    await record(handle, 'backfill-failed');
  });
  expect(fake.committed).toContain('rest');
  expect(fake.failed).toEqual([bad]);
  expect(fake.calls).toContain('startDataform');
});

test('a chunk whose job crashes twice is cut in two until the poisonous partition is alone', async () => {
  const halves: string[] = [];
  const fake = fakeBackfill(
    env.client,
    { chunks: 1, perChunk: 4 },
    {
      // The poison is in the last quarter: p-2-2.
      awaitDataflowJob: ({ jobName }) =>
        /^batch|^p-2$|^p-2-2$/.test(jobName)
          ? Promise.reject(cupelError('CUP_DATAFLOW_JOB_FAILED', { errors: 'killed' }))
          : Promise.resolve({}),
      recutChunk: ({ chunkUri, half }) => {
        const parent = /chunks\/(p[^.]*)\.json/.exec(chunkUri)?.[1] ?? 'p';
        const name = `${parent}-${half === 'first' ? 1 : 2}`;
        halves.push(name);
        const partitions = name.split('-').length === 2 ? 2 : 1;
        return Promise.resolve({
          batchId: name,
          uri: `gs://ops/chunks/${name}.json`,
          objects: 1,
          partitions,
          published: false,
        });
      },
      failedPartitions: ({ chunkUri, code }) => Promise.resolve([{ partition: chunkUri, fingerprint: 'f', code }]),
    },
  );
  const code = await run(fake, {}, (handle) => codeOf(handle.result()));
  expect(code).toBe('CUP_BACKFILL_INCOMPLETE');
  expect(halves).toEqual(['p-1', 'p-2', 'p-2-1', 'p-2-2']);
  expect(fake.committed.toSorted()).toEqual(['p-1', 'p-2-1']);
  expect(fake.failed).toEqual(['gs://ops/chunks/p-2-2.json']);
});

test('it is paused, resized, resumed and stopped by updates; what would change nothing is refused', async () => {
  const { opened, open } = gate();
  const atWork = gate();
  const fake = fakeBackfill(env.client, { chunks: 20 }, { awaitDataflowJob: heldJobs(opened, atWork.open) });
  const result = await run(fake, { maxConcurrency: 2 }, async (handle) => {
    await atWork.opened;
    await expect(handle.executeUpdate(resume)).rejects.toThrow(WorkflowUpdateFailedError);
    expect((await handle.executeUpdate(pause, { args: [{ reason: 'quota' }] })).paused?.reason).toBe('quota');
    await expect(handle.executeUpdate(pause, { args: [{}] })).rejects.toThrow(WorkflowUpdateFailedError);
    await expect(handle.executeUpdate(setConcurrency, { args: [{ maxConcurrency: 0 }] })).rejects.toThrow();
    const resized = await handle.executeUpdate(setConcurrency, { args: [{ maxConcurrency: 5 }] });
    expect(resized).toMatchObject({ maxConcurrency: 5, chunks: { running: 2 } });
    await expect(handle.executeUpdate(retryFailed)).rejects.toThrow(WorkflowUpdateFailedError);
    await handle.executeUpdate(resume);
    let status: BackfillStatus;
    do status = await handle.query(statusQuery);
    while (status.chunks.running < 5);
    expect((await handle.executeUpdate(stop)).stopping).toBe(true);
    open();
    const done = await handle.result();
    await record(handle, 'backfill-stopped');
    return done;
  });
  expect(result.status.chunks).toMatchObject({ done: 5, running: 0, failed: 0, remaining: 15 });
});

test('failed chunks run again within the backfill, and only what is not done in them', async () => {
  let broken = true;
  const openOnly: boolean[] = [];
  const last = gate();
  const atLast = gate();
  const fake = fakeBackfill(
    env.client,
    { chunks: 3 },
    {
      launchDataflowJob: ({ work }) =>
        broken && work.endsWith(partitionOf(0))
          ? Promise.reject(cupelError('CUP_GOOGLE_REFUSED', { answer: 'no permission' }))
          : Promise.resolve({ jobId: work, jobName: work }),
      awaitDataflowJob: async ({ jobName }) => {
        if (!jobName.endsWith(partitionOf(2))) return {};
        atLast.open();
        await last.opened;
        return {};
      },
      verifyPlan: () => Promise.resolve({ done: 3, open: 0, first: [] }),
    },
  );
  const prepare = fake.activities.prepareChunk;
  fake.activities.prepareChunk = (input) => {
    openOnly.push(input.openOnly === true);
    return (prepare as Activities['prepareChunk'])(input);
  };
  const { status } = await run(fake, { maxConcurrency: 1 }, async (handle) => {
    await atLast.opened;
    expect(await handle.query(statusQuery)).toMatchObject({
      chunks: { failed: 1, done: 1 },
      partitions: { failed: 1 },
    });
    broken = false;
    await handle.executeUpdate(retryFailed);
    last.open();
    return handle.result();
  });
  expect(status).toMatchObject({ chunks: { done: 3, failed: 0 }, partitions: { done: 3, failed: 0 }, failures: [] });
  expect(openOnly).toEqual([false, false, false, true]);
});

test('each chunk depends on the one before: one at a time, and none after one that failed', async () => {
  const fake = fakeBackfill(
    env.client,
    { chunks: 5 },
    {
      launchDataflowJob: ({ work }) =>
        work.endsWith(partitionOf(2))
          ? Promise.reject(cupelError('CUP_GOOGLE_REFUSED'))
          : Promise.resolve({ jobId: work, jobName: work }),
    },
  );
  const code = await run(fake, { dependsOnPast: true, maxConcurrency: 9 }, (handle) => codeOf(handle.result()));
  expect(code).toBe('CUP_BACKFILL_INCOMPLETE');
  expect(fake.committed).toEqual([`batch-${partitionOf(0)}`, `batch-${partitionOf(1)}`]);
});

test('a chunk whose backfill is gone commits nothing', async () => {
  const atWork = gate();
  const later = gate();
  const fake = fakeBackfill(env.client, { chunks: 1 }, { awaitDataflowJob: heldJobs(later.opened, atWork.open) });
  await run(fake, {}, async (handle) => {
    await atWork.opened;
    await handle.terminate('an operator');
    later.open();
    const chunk = env.client.workflow.getHandle(`${handle.workflowId}/${partitionOf(0)}`);
    expect(await chunk.result()).toMatchObject({ state: 'processed', done: 0 });
  });
  expect(fake.committed).toEqual([]);
});

test('an overlapping range is refused with the holder, and free again when the holder has ended', async () => {
  const { opened, open } = gate();
  const atWork = gate();
  const fake = fakeBackfill(env.client, { chunks: 1 }, { awaitDataflowJob: heldJobs(opened, atWork.open) });
  await run(fake, { source: 'shared' }, async (handle) => {
    await atWork.opened;
    const other = await start({ source: 'shared', from: '2025-01-31T00:00:00Z', to: '2025-02-02T00:00:00Z' });
    const failure = (await other.result().catch((error: unknown) => error)) as WorkflowFailedError;
    expect(JSON.stringify(failure.cause)).toContain(handle.workflowId);
    expect(await codeOf(Promise.reject(failure))).toBe('CUP_RANGE_LEASED');
    const beside = await start({ source: 'shared', from: '2025-02-01T00:00:00Z', to: '2025-02-02T00:00:00Z' });
    open();
    await Promise.all([handle.result(), beside.result()]);
  });
});

test.each([
  [{ reprocess: 'everything' }, 'reprocess to be one of missing, failed, stale, all'],
  [{ mode: 'push' }, 'mode to be one of replay, pull'],
  [{ maxConcurrency: 101 }, 'maxConcurrency from 1 to 100'],
  [{ maxconcurrency: 3 }, 'found maxconcurrency'],
  [{ chunkBytes: 2 ** 40 }, 'chunkBytes from 1 to'],
])('an input with %j is refused at once with what was expected', async (wrong, expected) => {
  const fake = fakeBackfill(env.client, { chunks: 1 });
  await run(fake, wrong as Partial<BackfillInput>, async (handle) => {
    const failure = (await handle.result().catch((error: unknown) => error)) as WorkflowFailedError;
    expect(failure.cause?.message).toContain(expected);
    expect(await codeOf(Promise.reject(failure))).toBe('CUP_BACKFILL_INPUT');
  });
});

/** The part of the world that an audit needs, remembered in order. */
function auditWorld(checks: 'passed' | 'failed', seen: string[]): Partial<Activities> {
  const batchIds: string[] = [];
  const note = (what: string) => () => {
    seen.push(what);
    return Promise.resolve();
  };
  return {
    rememberBatches: (input: { batchIds: string[] }) => {
      batchIds.push(...input.batchIds);
      return Promise.resolve();
    },
    rememberedBatches: () => Promise.resolve(batchIds),
    createAudit: () => {
      seen.push('create');
      return Promise.resolve({ table: 'silver.s__audit_1', snapshotId: '1' });
    },
    mergeIntoAudit: () => {
      seen.push('merge');
      return Promise.resolve({ snapshotId: '2', asOf: '2025-01-01T00:00:00.000Z' });
    },
    dropAudit: note('drop'),
    dropAuditDatasets: note('drop datasets'),
    awaitDataform: () => {
      seen.push('check');
      return checks === 'passed' ? Promise.resolve() : Promise.reject(cupelError('CUP_DATAFORM_ASSERTION_FAILED'));
    },
    verifyPlan: () => Promise.resolve({ done: 2, open: 0, first: [] }),
  } as unknown as Partial<Activities>;
}

test('an audited backfill is looked at and approved before anything reaches the table', async () => {
  const seen: string[] = [];
  const fake = fakeBackfill(env.client, { chunks: 2 }, auditWorld('passed', seen));
  await run(fake, { publish: 'audited' }, async (handle) => {
    let status: BackfillStatus;
    do status = await handle.query(statusQuery);
    while (status.phase !== 'awaiting approval');
    expect(status.audit).toMatchObject({ table: 'silver.s__audit_1', checks: 'passed' });
    expect(fake.committed).toEqual([]);
    await handle.executeUpdate(approve);
    await handle.result();
    await record(handle, 'backfill-audited');
  });
  expect(fake.committed).toHaveLength(2);
  expect(seen).toEqual(['create', 'merge', 'check', 'drop', 'drop datasets', 'check']);
});

test('an audit whose backfill is cancelled is dropped, and nothing is published', async () => {
  const seen: string[] = [];
  const fake = fakeBackfill(env.client, { chunks: 1 }, auditWorld('passed', seen));
  await run(fake, { publish: 'audited' }, async (handle) => {
    let status: BackfillStatus;
    do status = await handle.query(statusQuery);
    while (status.phase !== 'awaiting approval');
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
  });
  expect(fake.committed).toEqual([]);
  expect(seen).toEqual(['create', 'merge', 'check', 'drop', 'drop datasets']);
});

test('an audit that is rejected leaves the table as it was', async () => {
  const fake = fakeBackfill(env.client, { chunks: 1 }, auditWorld('passed', []));
  await run(fake, { publish: 'audited' }, async (handle) => {
    let status: BackfillStatus;
    do status = await handle.query(statusQuery);
    while (status.phase !== 'awaiting approval');
    await handle.executeUpdate(reject);
    expect(await codeOf(handle.result())).toBe('CUP_BACKFILL_REJECTED');
  });
  expect(fake.committed).toEqual([]);
});

test('checks alone may decide', async () => {
  const fake = fakeBackfill(env.client, { chunks: 1 }, auditWorld('failed', []));
  const input = { publish: 'audited', approval: 'checks' } as const;
  expect(await run(fake, input, (handle) => codeOf(handle.result()))).toBe('CUP_BACKFILL_REJECTED');
  expect(fake.committed).toEqual([]);
});
