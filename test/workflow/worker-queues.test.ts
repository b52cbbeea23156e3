import { Client } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { workflowBundle } from '../../local/workflow-bundle.ts';
import { toolPath } from '../../scripts/tools.ts';
import type { Activities } from '../../src/activities/index.ts';
import { createWorkers, runWorkers } from '../../src/worker/run.ts';
import { workerSettings } from '../../src/worker/settings.ts';
import { BACKFILL_TASK_QUEUE, TASK_QUEUE } from '../../src/workflows/ids.ts';
import { PARTITION, RUN_KIND, SOURCE, STAGE } from '../../src/workflows/search-attributes.ts';

const SLOTS = 2;
const LIMITS = {
  CUPEL_WORKER_MIN_ACTIVITIES: String(SLOTS),
  CUPEL_WORKER_MAX_ACTIVITIES: String(SLOTS),
  CUPEL_WORKER_BACKFILL_ACTIVITIES: String(SLOTS),
};

Runtime.install({ logger: new DefaultLogger('ERROR') });

let env: TestWorkflowEnvironment;
let workers: Worker[];
let running: Promise<void>;
/** Polls that wait, and what lets each go on. */
const held = new Map<string, () => void>();

const landed = {
  object: 'o',
  alreadyLanded: false,
  state: 'landed',
  carrierOrder: '1',
  bytes: 1,
  records: 1,
  published: 1,
};

/** A poll of the source "slow" waits until it is let go; others answer at once. */
async function pollFeed({ source, feed }: { source: string; feed: string }): Promise<unknown> {
  if (source === 'slow') await new Promise<void>((resolve) => held.set(feed, resolve));
  return landed;
}

beforeAll(async () => {
  process.env.CUPEL_WORKFLOW_BUNDLE = await workflowBundle();
  env = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: toolPath('temporal') },
      searchAttributes: [SOURCE, STAGE, RUN_KIND, PARTITION],
    },
  });
  const client = new Client({ connection: env.connection });
  const connections = { native: env.nativeConnection, client, close: () => Promise.resolve() };
  const activities = { pollFeed } as unknown as Activities;
  workers = [...(await createWorkers(workerSettings(LIMITS), connections, activities)).values()];
  running = runWorkers(workers);
});
afterAll(async () => {
  for (const worker of workers) worker.shutdown();
  await running;
  await env.teardown();
});

const poll = (taskQueue: string, source: string, feed: string) =>
  env.client.workflow.start('ingest', {
    taskQueue,
    workflowId: `ingest/${taskQueue}/${source}/${feed}`,
    args: [{ source, feed, nominalTime: '2025-01-01T00:00:00Z' }],
  });

test.each([
  ['a full backfill queue does not hold up the nightly run', BACKFILL_TASK_QUEUE, TASK_QUEUE],
  ['a full nightly run does not hold up a backfill', TASK_QUEUE, BACKFILL_TASK_QUEUE],
])('%s', async (_what, full, other) => {
  const waiting = await Promise.all(['1', '2', '3', '4', '5'].map((feed) => poll(full, 'slow', feed)));
  await expect.poll(() => held.size, { timeout: 20_000 }).toBe(SLOTS);
  const quick = await Promise.all(['1', '2', '3', '4', '5'].map((feed) => poll(other, 'quick', feed)));
  for (const handle of quick) expect(await handle.result()).toMatchObject({ state: 'landed' });
  // The full queue still has its number and no more.
  expect(held.size).toBe(SLOTS);
  const finished = Promise.all(waiting.map((handle) => handle.result()));
  const letGo = setInterval(() => {
    for (const [feed, go] of [...held]) {
      held.delete(feed);
      go();
    }
  }, 50);
  await finished;
  clearInterval(letGo);
});
