import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolPath } from '../../scripts/tools.ts';
import { statusQuery } from '../../src/workflows/backfill/messages.ts';
import { PARTITION, RUN_KIND, SOURCE, STAGE } from '../../src/workflows/search-attributes.ts';
import { codeOf, gate, heldJobs, runBackfill } from '../support/backfills.ts';
import { fakeBackfill, partitionOf } from '../support/fake-backfill.ts';
import { record } from '../support/workflows.ts';

// What the time-skipping server cannot do: many workflows cancelled at once, and three years of partitions.

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

test('cancelling it stops the jobs first, and gives the range back', async () => {
  const atWork = gate();
  const fake = fakeBackfill(env.client, { chunks: 8 }, { awaitDataflowJob: heldJobs(gate().opened, atWork.open) });
  await runBackfill(env, fake, { maxConcurrency: 3 }, async (handle) => {
    await atWork.opened;
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    await record(handle, 'backfill-cancelled');
    expect((await handle.query(statusQuery)).chunks.running).toBe(0);
  });
  expect(fake.committed).toEqual([]);
  expect(fake.failed).toEqual([]);
  expect(fake.calls.at(-1)).toBe('releaseLease');
});

test('a chunk that was terminated is noticed, though it says nothing', async () => {
  const atWork = gate();
  const first = heldJobs(gate().opened, atWork.open);
  let jobs = 0;
  const fake = fakeBackfill(
    env.client,
    { chunks: 2 },
    {
      awaitDataflowJob: (input) => ((jobs += 1) === 1 ? first(input) : Promise.resolve({})),
      verifyPlan: () => Promise.resolve({ done: 1, open: 1, first: [partitionOf(0)] }),
    },
  );
  await runBackfill(env, fake, { maxConcurrency: 1 }, async (handle) => {
    await atWork.opened;
    await env.client.workflow.getHandle(`${handle.workflowId}/${partitionOf(0)}`).terminate('an operator');
    expect(await codeOf(handle.result())).toBe('CUP_BACKFILL_INCOMPLETE');
    const status = await handle.query(statusQuery);
    expect(status.failures).toMatchObject([{ partition: partitionOf(0), code: 'the workflow was terminated' }]);
    expect(status.chunks).toMatchObject({ done: 1, failed: 1 });
  });
});

test('three years of hours go through, and no history comes near its limit', async () => {
  const hours = 26_280;
  const fake = fakeBackfill(env.client, { chunks: hours / 24, perChunk: 24 });
  const { status, workflowId } = await runBackfill(env, fake, { maxConcurrency: 40 }, async (handle) => ({
    ...(await handle.result()),
    workflowId: handle.workflowId,
  }));
  expect(status.partitions).toMatchObject({ total: hours, done: hours, failed: 0 });
  expect(new Set(fake.committed).size).toBe(hours / 24);
  expect(fake.committed).toHaveLength(hours / 24);
  const lengths: number[] = [];
  const query = `WorkflowType = 'backfill' AND WorkflowId = '${workflowId}'`;
  for await (const { historyLength } of env.client.workflow.list({ query })) lengths.push(historyLength);
  expect(lengths.length).toBeGreaterThan(1);
  expect(Math.max(...lengths)).toBeLessThan(4_000);
}, 600_000);
