import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import { Client } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startMetadata } from '../../local/metadata/server.ts';
import { freePort } from '../../local/ports.ts';
import { startPubsub } from '../../local/pubsub/server.ts';
import { workflowBundle } from '../../local/workflow-bundle.ts';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import { setUpTemporal } from '../../src/starter/temporal-setup.ts';
import type { Readiness } from '../../src/worker/health.ts';
import { BACKFILL_TASK_QUEUE, TASK_QUEUE } from '../../src/workflows/ids.ts';
import { SEARCH_ATTRIBUTES } from '../../src/workflows/search-attributes.ts';

const GRACE_SECONDS = 5;
const NAMESPACE = 'cupel';

let env: TestWorkflowEnvironment;
let bundle: string;
const started: ChildProcess[] = [];

beforeAll(async () => {
  bundle = await workflowBundle();
  env = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path: toolPath('temporal') } },
  });
  await setUpTemporal(env.connection, NAMESPACE);
});
afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
});
afterAll(() => env.teardown());

/** A worker in a process of its own, as in production; nothing that it reaches but Temporal is there. */
function startWorker(more: Record<string, string>): { child: ChildProcess; log: () => string } {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', path.join(PROJECT, 'src/worker.ts')],
    {
      env: {
        PATH: process.env.PATH ?? '',
        HOME: process.env.HOME ?? '',
        METADATA_SERVER_DETECTION: 'none',
        CUPEL_PROJECT: 'cupel-test',
        CUPEL_CATALOG_URI: 'http://127.0.0.1:1',
        CUPEL_CONTRACTS_DIR: path.join(PROJECT, 'sources'),
        CUPEL_WORKFLOW_BUNDLE: bundle,
        CUPEL_SHUTDOWN_GRACE_SECONDS: String(GRACE_SECONDS),
        TEMPORAL_ADDRESS: env.address,
        TEMPORAL_NAMESPACE: NAMESPACE,
        ...more,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, log: () => text };
}

async function readyz(address: string): Promise<{ status: number; body?: Readiness }> {
  try {
    const response = await fetch(`http://${address}/readyz`);
    return { status: response.status, body: (await response.json()) as Readiness };
  } catch {
    return { status: 0 };
  }
}

async function end(child: ChildProcess): Promise<number | null> {
  const ended = child.exitCode === null ? once(child, 'exit') : undefined;
  await ended;
  return child.exitCode;
}

const loopback = async (): Promise<string> => `127.0.0.1:${await freePort()}`;

test('it becomes ready, takes work of both queues, shows its metrics, and ends by itself after SIGTERM', async () => {
  const [health, metrics] = [await loopback(), await loopback()];
  const { child, log } = startWorker({ CUPEL_HEALTH_ADDRESS: health, CUPEL_METRICS_ADDRESS: metrics });
  await expect.poll(async () => (await readyz(health)).status, { timeout: 40_000, message: log() }).toBe(200);
  expect((await readyz(health)).body).toEqual({
    ready: true,
    workers: { cupel: 'RUNNING', 'cupel-backfill': 'RUNNING' },
    temporal: 'reachable',
  });
  expect((await fetch(`http://${health}/healthz`)).status).toBe(200);
  const shown = async (): Promise<string> => (await fetch(`http://${metrics}/metrics`)).text();
  await expect.poll(shown, { timeout: 10_000 }).toMatch(/^temporal_num_pollers\{.*task_queue="cupel-backfill"/m);
  const client = new Client({ connection: env.connection, namespace: NAMESPACE });
  for (const taskQueue of [TASK_QUEUE, BACKFILL_TASK_QUEUE]) {
    const handle = await client.workflow.start('source', { taskQueue, workflowId: `source/${taskQueue}`, args: [{}] });
    expect(await handle.query('leases')).toEqual([]);
  }
  const asked = Date.now();
  child.kill('SIGTERM');
  expect(await end(child), log()).toBe(0);
  expect(Date.now() - asked).toBeLessThan(GRACE_SECONDS * 1_000);
});

/** Whether a process polls a queue. The server remembers those that are gone for minutes. */
async function polls(child: ChildProcess, queue: string): Promise<boolean> {
  const { pollers } = await env.connection.workflowService.describeTaskQueue({
    namespace: NAMESPACE,
    taskQueue: { name: queue },
    taskQueueType: 2, // activities
  });
  return (pollers ?? []).some(({ identity }) => identity?.startsWith(`${child.pid}@`));
}

test('each queue can have a process of its own', async () => {
  const health = await loopback();
  const { child, log } = startWorker({ CUPEL_HEALTH_ADDRESS: health, CUPEL_WORKER_QUEUES: BACKFILL_TASK_QUEUE });
  await expect.poll(async () => (await readyz(health)).status, { timeout: 40_000, message: log() }).toBe(200);
  expect((await readyz(health)).body?.workers).toEqual({ [BACKFILL_TASK_QUEUE]: 'RUNNING' });
  await expect.poll(() => polls(child, BACKFILL_TASK_QUEUE), { timeout: 10_000 }).toBe(true);
  expect(await polls(child, TASK_QUEUE)).toBe(false);
  child.kill('SIGINT');
  expect(await end(child), log()).toBe(0);
});

test('it takes messages of its control subscription, and still ends by itself', async () => {
  const server = await startPubsub();
  process.env.PUBSUB_EMULATOR_HOST = server.endpoint;
  const pubsub = new PubSub({ projectId: 'cupel-test' });
  const [topic] = await pubsub.createTopic('cupel-control');
  await topic.createSubscription('cupel-control-worker');
  const { child, log } = startWorker({
    CUPEL_CONTROL_SUBSCRIPTION: 'cupel-control-worker',
    PUBSUB_EMULATOR_HOST: server.endpoint,
  });
  await topic.publishMessage({ json: { kind: 'maintain', source: 'none', nominalTime: '2025-05-05T03:30:00Z' } });
  const client = new Client({ connection: env.connection, namespace: NAMESPACE });
  const handle = client.workflow.getHandle('tick/control/maintain/none-2025-05-05T03:30:00Z');
  const type = (): Promise<string> =>
    handle
      .describe()
      .then((found) => found.type)
      .catch(() => 'none');
  await expect.poll(type, { timeout: 40_000, message: log() }).toBe('tick');
  child.kill('SIGTERM');
  expect(await end(child), log()).toBe(0);
  await handle.terminate().catch(() => undefined); // it may have failed meanwhile: there is no such source
  await pubsub.close();
  await server.stop();
});

/** A function that never answers. */
async function silentFunction(): Promise<{ url: string; stop(): void }> {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

test('an activity that does not end is given up after the grace time', async () => {
  const [metadata, poll] = [await startMetadata({ projectId: 'cupel-test' }), await silentFunction()];
  const health = await loopback();
  const { child, log } = startWorker({
    CUPEL_HEALTH_ADDRESS: health,
    CUPEL_SHUTDOWN_GRACE_SECONDS: '1',
    CUPEL_FUNCTION_POLL_URL: poll.url,
    GCE_METADATA_HOST: metadata.host,
    METADATA_SERVER_DETECTION: 'assume-present',
  });
  await expect.poll(async () => (await readyz(health)).status, { timeout: 40_000, message: log() }).toBe(200);
  const client = new Client({ connection: env.connection, namespace: NAMESPACE });
  const handle = await client.workflow.start('ingest', {
    taskQueue: TASK_QUEUE,
    workflowId: 'ingest/endless',
    args: [{ source: 'earthquakes', feed: 'all_hour', nominalTime: '2025-01-01T00:00:00Z', contractHash: '0' }],
  });
  const pending = async () => (await handle.describe()).raw.pendingActivities?.[0];
  await expect.poll(pending, { timeout: 10_000 }).toMatchObject({ state: 2, attempt: 1 }); // started
  child.kill('SIGTERM');
  await expect.poll(async () => (await readyz(health)).status, { timeout: 3_000 }).toBe(503);
  expect((await readyz(health)).body?.ready ?? false).toBe(false);
  expect(await end(child), log()).toBe(1);
  expect((await handle.describe()).status.name).toBe('RUNNING');
  await handle.terminate();
  poll.stop();
  await metadata.stop();
});

test.each([
  ['a profile that is not there', { TEMPORAL_PROFILE: 'prod' }, 'CUP_TEMPORAL_CONFIG'],
  ['no bundle in production', { NODE_ENV: 'production', CUPEL_WORKFLOW_BUNDLE: '/none.js' }, 'CUP_BUNDLE_MISSING'],
  ['a queue that is none', { CUPEL_WORKER_QUEUES: 'nightly' }, 'CUP_ENVIRONMENT_INVALID'],
  ['a namespace that is not there', { TEMPORAL_NAMESPACE: 'nope' }, 'CUP_TEMPORAL_SETUP'],
  ['nobody at the address', { TEMPORAL_ADDRESS: '127.0.0.1:1' }, 'CUP_TEMPORAL_UNAVAILABLE'],
])('%s ends it with code 1 and one line', async (_what, variables, code) => {
  const { child, log } = startWorker(variables);
  expect(await end(child), log()).toBe(1);
  expect(log()).toContain(`${code}: `);
  expect(log()).not.toContain('    at ');
});

test('setting up a namespace that is there changes nothing, and its search attributes can be used', async () => {
  expect(await setUpTemporal(env.connection, NAMESPACE)).toEqual({ namespace: NAMESPACE, registered: false, made: [] });
  const { customAttributes } = await env.connection.operatorService.listSearchAttributes({ namespace: NAMESPACE });
  expect(Object.keys(customAttributes ?? {})).toEqual(expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTES)));
});
