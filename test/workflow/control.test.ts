import path from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import type { CreateSubscriptionOptions } from '@google-cloud/pubsub';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import { startControlled } from '../../src/control/start.ts';
import { cupelError } from '../../src/errors.ts';
import { startControl } from '../../src/worker/control.ts';
import type { ControlOptions, ControlSubscriber } from '../../src/worker/control.ts';
import { backfillId, ingestId, monitorId } from '../../src/workflows/ids.ts';
import { PARTITION, RUN_KIND, SOURCE, STAGE } from '../../src/workflows/search-attributes.ts';
import { gate } from '../support/backfills.ts';
import { fakeBackfill } from '../support/fake-backfill.ts';
import { whileServing } from '../support/workflows.ts';

const PROJECT_ID = 'cupel-test';
const CONTRACTS = path.join(PROJECT, 'sources');
const AT = '2025-05-05T01:30:00Z';

let env: TestWorkflowEnvironment;
let server: PubsubServer;
let pubsub: PubSub;
let number = 0;
let topic: string;
let subscription: string;
let subscriber: ControlSubscriber | undefined;
let log: { text: string; told: Record<string, unknown> }[];

beforeAll(async () => {
  env = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: toolPath('temporal') },
      searchAttributes: [SOURCE, STAGE, RUN_KIND, PARTITION],
    },
  });
  server = await startPubsub();
  process.env.PUBSUB_EMULATOR_HOST = server.endpoint;
  pubsub = new PubSub({ projectId: PROJECT_ID });
});
afterAll(async () => {
  await pubsub.close();
  await server.stop();
  await env.teardown();
});
beforeEach(async () => {
  number += 1;
  topic = `control-${number}`;
  subscription = `worker-${number}`;
  log = [];
  await pubsub.createTopic(topic);
});
afterEach(async () => {
  await subscriber?.stop();
  subscriber = undefined;
});

const subscribe = (options: CreateSubscriptionOptions = {}) =>
  pubsub.createSubscription(topic, subscription, {
    retryPolicy: { minimumBackoff: { nanos: 50_000_000 }, maximumBackoff: { nanos: 50_000_000 } },
    ...options,
  });

/** Takes messages as the worker does, and remembers what it logs. */
function take(start: ControlOptions['start'] = (message) => startControlled(env.client, CONTRACTS, message)): void {
  const note = (text: string, told: Record<string, unknown> = {}): void => void log.push({ text, told });
  subscriber = startControl({ pubsub, subscription, start, log: { info: note, warn: note, error: note } });
}

const send = (message: unknown): Promise<string> =>
  pubsub.topic(topic).publishMessage({ data: Buffer.from(JSON.stringify(message)) });

const backlog = (name = subscription): number => server.backlog(`projects/${PROJECT_ID}/subscriptions/${name}`);

const logged = (text: string): Record<string, unknown>[] =>
  log.filter((line) => line.text === text).map(({ told }) => told);

/** Waits until so many messages were taken, and none is left. */
async function taken(count: number): Promise<Record<string, unknown>[]> {
  await expect.poll(() => logged('control message taken').length, { timeout: 20_000 }).toBe(count);
  await expect.poll(() => backlog(), { timeout: 5_000 }).toBe(0);
  return logged('control message taken');
}

const LANDED = {
  ...{ object: 'o', alreadyLanded: false, state: 'landed' as const, carrierOrder: '1' },
  ...{ bytes: 1, records: 1, published: 1 },
};

test('a message starts the tick of its nominal time; once more, after it has ended, it starts nothing', async () => {
  await subscribe();
  let polls = 0;
  const pollFeed = () => Promise.resolve(((polls += 1), LANDED));
  await whileServing(env, fakeBackfill(env.client, { chunks: 0 }, { pollFeed }).activities, async () => {
    take();
    const message = { kind: 'ingest', source: 'c', feed: 'all_hour', nominalTime: AT };
    const workflowId = `tick/control/ingest/c/all_hour-${AT}`;
    const first = await send(message);
    expect(await taken(1)).toEqual([{ messageId: first, workflowId, state: 'started' }]);
    const handle = env.client.workflow.getHandle(workflowId);
    expect(await handle.result()).toMatchObject({ state: 'done', workflowId: ingestId('c', 'all_hour', AT) });
    const { runId } = await handle.describe();
    const second = await send(message);
    expect((await taken(2))[1]).toEqual({ messageId: second, workflowId, state: 'over' });
    expect((await handle.describe()).runId).toBe(runId);
    expect(polls).toBe(1);
  });
});

test('a message that comes again while its tick runs joins it', async () => {
  await subscribe();
  const answered = gate();
  let polls = 0;
  const pollFeed = async () => {
    polls += 1;
    await answered.opened;
    return LANDED;
  };
  await whileServing(env, fakeBackfill(env.client, { chunks: 0 }, { pollFeed }).activities, async () => {
    take();
    const message = { kind: 'ingest', source: 'j', feed: 'all_hour', nominalTime: AT };
    await Promise.all([send(message), send(message)]);
    expect((await taken(2)).map(({ state }) => state)).toEqual(['started', 'started']);
    answered.open();
    await env.client.workflow.getHandle(`tick/control/ingest/j/all_hour-${AT}`).result();
    expect(polls).toBe(1);
  });
});

test('a message without a nominal time has that of its publishing, at each delivery', async () => {
  await subscribe();
  const times: string[] = [];
  take((message) => {
    if ('nominalTime' in message && message.nominalTime) times.push(message.nominalTime);
    if (times.length === 1) throw new Error('no answer');
    return Promise.resolve({ workflowId: 'w', state: 'started' });
  });
  await send({ kind: 'monitor' });
  await taken(1);
  expect(times).toHaveLength(2);
  expect(new Set(times).size).toBe(1);
});

test('what can never be understood is told by id and code, never by what is in it, and holds up nothing', async () => {
  await subscribe();
  take();
  const hunter = { kind: 'backfill', source: 'hunter2', from: '2025-05-04', to: '2025-05-05' };
  const ids = [
    await pubsub.topic(topic).publishMessage({ data: Buffer.from('hunter2 {') }),
    await send({ kind: 'hunter2' }),
    await send({ kind: 'monitor', hunter2: 1 }),
    await send(hunter),
    await send({ ...hunter, source: 'earthquakes', from: '2025-05-06T00:00:00Z' }),
  ];
  const good = await send({ kind: 'monitor', nominalTime: AT });
  expect(await taken(1)).toMatchObject([{ messageId: good, workflowId: `tick/control/monitor-${AT}` }]);
  await expect.poll(() => logged('control message refused').length, { timeout: 10_000 }).toBe(ids.length);
  const codes = Object.fromEntries(
    logged('control message refused').map(({ messageId, code }) => [String(messageId), code]),
  );
  const reasons = [...Array<string>(3).fill('CUP_REQUEST_INVALID'), 'CUP_SOURCE_UNKNOWN', 'CUP_RANGE_INVALID'];
  expect(codes).toEqual(Object.fromEntries(ids.map((id, index) => [id, reasons[index]])));
  expect(JSON.stringify(log)).not.toContain('hunter2');
  await expect.poll(() => backlog(), { timeout: 5_000 }).toBe(0);
  await env.client.workflow.getHandle(`tick/control/monitor-${AT}`).terminate();
});

test('where the subscription has a dead letter topic, that gets what can never be understood', async () => {
  const dead = `dead-${number}`;
  await pubsub.createTopic(dead);
  await pubsub.createSubscription(dead, dead);
  const deadLetterTopic = pubsub.topic(dead).name;
  await subscribe({ deadLetterPolicy: { deadLetterTopic, maxDeliveryAttempts: 5 } });
  take();
  await send({ kind: 'polling' });
  await expect.poll(() => backlog(dead), { timeout: 10_000 }).toBe(1);
  expect(backlog()).toBe(0);
  expect(logged('control message refused')).toHaveLength(5);
});

test('without an answer of Temporal a message is kept, and comes again', async () => {
  await subscribe();
  let attempts = 0;
  take((message) => {
    attempts += 1;
    if (attempts < 3) throw cupelError('CUP_TEMPORAL_UNAVAILABLE');
    return startControlled(env.client, CONTRACTS, message);
  });
  const messageId = await send({ kind: 'monitor', nominalTime: '2025-05-06' });
  await taken(1);
  expect(logged('control message not started; it comes again')).toEqual(
    Array(2).fill({ messageId, code: 'CUP_TEMPORAL_UNAVAILABLE' }),
  );
  const handle = env.client.workflow.getHandle('tick/control/monitor-2025-05-06T00:00:00Z');
  expect((await handle.describe()).status.name).toBe('RUNNING');
  await handle.terminate();
});

test('a backfill runs under the id of its range: joined while it runs, run again only where it failed', async () => {
  await subscribe();
  let fails = true;
  const fake = fakeBackfill(
    env.client,
    { chunks: 1 },
    {
      verifyPlan: () =>
        fails ? Promise.reject(cupelError('CUP_OBJECT_NOT_FOUND')) : Promise.resolve({ done: 1, open: 0, first: [] }),
    },
  );
  await whileServing(env, fake.activities, async () => {
    take();
    const message = { kind: 'backfill', source: 'earthquakes', from: '2025-05-04', to: '2025-05-05' };
    const workflowId = backfillId('earthquakes', '2025-05-04T00:00:00Z', '2025-05-05T00:00:00Z');
    const result = () => env.client.workflow.getHandle(workflowId).result();
    await send(message);
    expect(await taken(1)).toMatchObject([{ workflowId, state: 'started' }]);
    await expect(result()).rejects.toThrow();
    fails = false;
    await send(message);
    expect((await taken(2))[1]).toMatchObject({ workflowId, state: 'started' });
    expect(await result()).toMatchObject({ status: { source: 'earthquakes', phase: 'done' } });
    await send(message);
    expect((await taken(3))[2]).toMatchObject({ workflowId, state: 'over' });
  });
});

test('stopping lets what is in hand end, and leaves the rest to the next', async () => {
  await subscribe();
  const [reached, answered] = [gate(), gate()];
  take(async () => {
    reached.open();
    await answered.opened;
    return { workflowId: 'w', state: 'started' };
  });
  await send({ kind: 'monitor' });
  await reached.opened;
  const stopping = subscriber?.stop();
  await send({ kind: 'monitor', nominalTime: '2025-05-04' });
  answered.open();
  await stopping;
  await expect.poll(() => backlog(), { timeout: 5_000 }).toBe(1);
  expect(logged('control message taken')).toHaveLength(1);
  take(() => Promise.resolve({ workflowId: monitorId(AT), state: 'started' }));
  await taken(2);
});

test('a subscription that is not there is looked for until it is', async () => {
  take(() => Promise.resolve({ workflowId: 'w', state: 'started' }));
  await expect.poll(() => logged('control subscription lost').length, { timeout: 10_000 }).toBeGreaterThan(0);
  expect(logged('control subscription lost')[0]).toMatchObject({ code: 'CUP_GOOGLE_REFUSED' });
  await subscribe();
  await send({ kind: 'monitor' });
  await taken(1);
});
