import { PubSub } from '@google-cloud/pubsub';
import type { Message, Subscription } from '@google-cloud/pubsub';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFunctions } from '../../local/functions/start.ts';
import type { Functions } from '../../local/functions/start.ts';
import { startMetadata } from '../../local/metadata/server.ts';
import type { MetadataServer } from '../../local/metadata/server.ts';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';

const TOPIC = 'control-of-a-test';

let metadata: MetadataServer;
let pubsubServer: PubsubServer;
let functions: Functions;
let pubsub: PubSub;
let subscription: Subscription | undefined;
const received: { id: string; body: unknown }[] = [];

beforeAll(async () => {
  metadata = await startMetadata({ projectId: 'cupel-test' });
  pubsubServer = await startPubsub();
  Object.assign(process.env, {
    CUPEL_PROJECT: 'cupel-test',
    CUPEL_CONTROL_TOPIC: TOPIC,
    PUBSUB_EMULATOR_HOST: pubsubServer.endpoint,
  });
  pubsub = new PubSub({ projectId: 'cupel-test' });
  functions = await startFunctions((token, audience) => metadata.verify(token, audience));
});
afterAll(async () => {
  await functions.stop();
  await subscription?.close();
  await pubsub.close();
  await pubsubServer.stop();
  await metadata.stop();
});

/** Sends a request; without a content type it says what Cloud Scheduler says. */
async function post(body: string, headers: Record<string, string> = {}) {
  const url = functions.triggerUrl;
  const authorization = `Bearer ${metadata.identityToken(url)}`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream', authorization, ...headers },
    body,
  });
  const text = await response.text();
  return { status: response.status, body: (text ? JSON.parse(text) : {}) as Record<string, unknown> };
}

const PIPELINE = { kind: 'pipeline', source: 'earthquakes', nominalTime: '2025-05-05T01:10:00Z' };

test('nothing is published where Pub/Sub does not take it: 503, with a code', async () => {
  const answer = await post(JSON.stringify(PIPELINE));
  expect(answer).toMatchObject({ status: 503, body: { code: 'CUP_GOOGLE_REFUSED' } });
  await pubsub.createTopic(TOPIC);
  [subscription] = await pubsub.createSubscription(TOPIC, 'test');
  subscription.on('message', (message: Message) => {
    message.ack();
    received.push({ id: message.id, body: JSON.parse(message.data.toString()) as unknown });
  });
});

test('without a token of the right audience nobody gets in', async () => {
  expect((await fetch(functions.triggerUrl, { method: 'POST', body: JSON.stringify(PIPELINE) })).status).toBe(403);
  const authorization = `Bearer ${metadata.identityToken('https://other')}`;
  const response = await fetch(functions.triggerUrl, { method: 'POST', headers: { authorization }, body: '{}' });
  expect(response.status).toBe(403);
});

test('a request becomes one message, whatever content it is said to be', async () => {
  const answers = [
    await post(JSON.stringify(PIPELINE)),
    await post(JSON.stringify(PIPELINE), { 'content-type': 'application/json' }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([202, 202]);
  await expect.poll(() => received.length, { timeout: 10_000 }).toBe(2);
  const byId = (a: { id: string }, b: { id: string }): number => Number(a.id) - Number(b.id);
  const expected = answers.map(({ body }) => ({ id: String(body.messageId), body: PIPELINE }));
  expect(received.splice(0).sort(byId)).toEqual(expected);
});

test("the nominal time is the caller's, else Cloud Scheduler's, else now", async () => {
  const kind = 'monitor';
  const header = { 'X-CloudScheduler-ScheduleTime': '2025-05-05T03:30:00.5+02:00' };
  const before = Date.now() - 1_000;
  await post(JSON.stringify({ kind, nominalTime: '2025-05-04' }), header);
  await post(JSON.stringify({ kind }), header);
  await post(JSON.stringify({ kind }));
  await expect.poll(() => received.length, { timeout: 10_000 }).toBe(3);
  const times = received.splice(0).map(({ body }) => (body as { nominalTime: string }).nominalTime);
  const [callers, schedulers, now = ''] = times.sort();
  expect([callers, schedulers]).toEqual(['2025-05-04T00:00:00Z', '2025-05-05T01:30:00Z']);
  expect(now).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);
  expect(Date.parse(now)).toBeGreaterThanOrEqual(before);
});

test('what is of no use to try again is 400, with a code, and publishes nothing', async () => {
  const bodies = ['', '{', '[]', '{"kind":"polling"}', '{"kind":"monitor","input":{}}', '{"kind":"ingest"}'];
  for (const body of bodies)
    expect(await post(body)).toMatchObject({ status: 400, body: { code: 'CUP_REQUEST_INVALID' } });
  const header = { 'x-cloudscheduler-scheduletime': 'noon' };
  expect(await post('{"kind":"monitor"}', header)).toMatchObject({ status: 400 });
  await post('{"kind":"monitor"}');
  await expect.poll(() => received.length, { timeout: 10_000 }).toBe(1); // that one only
});
