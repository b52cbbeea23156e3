import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { PubsubUser, until } from '../support/pubsub.ts';

// Pub/Sub's REST API v1, as Java's client speaks it: https://cloud.google.com/pubsub/docs/reference/rest

let server: PubsubServer;
let user: PubsubUser;
let topic: string;
let subscription: string;

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(`${server.restUrl}/v1/${path}`, { method, headers, ...json });
  expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8');
  return { status: response.status, body: (await response.json()) as Record<string, unknown> } satisfies Answer;
}

async function done(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await send(method, path, body);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body;
}

const refusal = (code: number, status: string, message: unknown = expect.any(String)): object => ({
  status: code,
  body: { error: { code, status, message } },
});

interface Received {
  ackId: string;
  deliveryAttempt?: number;
  message: { data?: string; attributes?: Record<string, string>; messageId: string; publishTime: string };
}

async function pull(of = subscription, maxMessages = 100): Promise<Received[]> {
  const { receivedMessages = [] } = await done('POST', `${of}:pull`, { maxMessages, returnImmediately: true });
  return receivedMessages as Received[];
}

const data = (text: string): { data: string } => ({ data: Buffer.from(text).toString('base64') });

beforeAll(async () => {
  server = await startPubsub();
  user = new PubsubUser(server.endpoint);
});
beforeEach(async () => {
  topic = `projects/conformance/topics/${user.name('rest')}`;
  subscription = `projects/conformance/subscriptions/${user.name('rest')}`;
  await done('PUT', topic, {});
  await done('PUT', subscription, { topic, ackDeadlineSeconds: 20 });
});
afterAll(async () => {
  await user.close();
  await server.stop();
});

test('resources are made, shown, listed page by page, changed by a mask and deleted', async () => {
  expect(await done('GET', subscription)).toEqual({
    name: subscription,
    topic,
    ackDeadlineSeconds: 20,
    messageRetentionDuration: '604800s',
    state: 'ACTIVE',
  });
  const changed = { topic: { labels: { team: 'x' }, messageRetentionDuration: '3600.500s' } };
  const updateMask = 'labels,messageRetentionDuration';
  expect(await done('PATCH', topic, { ...changed, updateMask })).toEqual({ name: topic, ...changed.topic });
  expect(await done('GET', `${topic}/subscriptions`)).toEqual({ subscriptions: [subscription] });

  const { topics, nextPageToken } = await done('GET', 'projects/conformance/topics?pageSize=1&alt=json');
  expect(topics).toHaveLength(1);
  const names: unknown[] = [topics as object[]].flat();
  for (let token = nextPageToken as string | undefined; token;) {
    const next = await done('GET', `projects/conformance/topics?pageSize=1&pageToken=${token}`);
    names.push(...(next.topics as object[]));
    token = next.nextPageToken as string | undefined;
  }
  expect(names).toContainEqual({ name: topic, ...changed.topic });

  expect(await done('DELETE', subscription)).toEqual({});
  expect(await send('GET', subscription)).toEqual(
    refusal(404, 'NOT_FOUND', `Resource not found (resource=${subscription}).`),
  );
});

test('messages are published and pulled with data, attributes, id and time, and are gone once acknowledged', async () => {
  const sent = [
    { ...data('ünï'), attributes: { a: '1' } },
    { attributes: { only: 'attributes' } },
    { data: '-_8=', orderingKey: '' }, // the alphabet of URLs is read too
  ];
  const { messageIds } = await done('POST', `${topic}:publish`, { messages: sent });
  const received = await pull();
  expect(received.map(({ message }) => message)).toEqual([
    { ...sent[0], messageId: (messageIds as string[])[0], publishTime: expect.any(String) },
    { ...sent[1], messageId: (messageIds as string[])[1], publishTime: expect.any(String) },
    { data: '+/8=', messageId: (messageIds as string[])[2], publishTime: expect.any(String) },
  ]);
  const publishTime = received[0]?.message.publishTime ?? '';
  expect(publishTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/);
  expect(Math.abs(Date.now() - Date.parse(publishTime))).toBeLessThan(60_000);
  expect(await pull()).toEqual([]);
  const ackIds = received.map(({ ackId }) => ackId);
  expect(await done('POST', `${subscription}:acknowledge`, { ackIds })).toEqual({});
  expect(server.backlog(subscription)).toBe(0);
  expect(await done('POST', `${subscription}:pull`, { maxMessages: 1, returnImmediately: true })).toEqual({});
});

test('what Java sends compressed is read, and both spellings of a field are', async () => {
  const body = gzipSync(JSON.stringify({ messages: [{ ...data('zipped'), ordering_key: 'k' }] }));
  const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json; charset=UTF-8' };
  const url = `${server.restUrl}/v1/${topic}:publish?prettyPrint=false`;
  const response = await fetch(url, { method: 'POST', headers, body });
  expect(await response.text()).toMatch(/^\{"messageIds":\["\d+"\]\}$/);
  const [received] = await pull();
  expect(received?.message).toMatchObject({ ...data('zipped'), orderingKey: 'k' });
});

test('a deadline is moved; at 0 the message comes again, as it does when the deadline is over', async () => {
  await done('POST', `${topic}:publish`, { messages: [data('again')] });
  const [first] = await pull();
  const ackIds = [first?.ackId];
  expect(await done('POST', `${subscription}:modifyAckDeadline`, { ackIds, ackDeadlineSeconds: 60 })).toEqual({});
  await done('POST', `${subscription}:modifyAckDeadline`, { ackIds, ackDeadlineSeconds: 0 });
  const [second] = await pull();
  expect(second?.message.messageId).toBe(first?.message.messageId);
  await done('POST', `${subscription}:modifyAckDeadline`, { ackIds: [second?.ackId], ackDeadlineSeconds: 1 });
  await until(async () => (await pull()).length === 1);
});

test('both APIs serve one broker', async () => {
  const byRest = await done('POST', `${topic}:publish`, { messages: [data('rest')] });
  const [pulled] = await user.subscriber.pull({ subscription, maxMessages: 10 });
  expect(pulled.receivedMessages?.map(({ message }) => message?.messageId)).toEqual(byRest.messageIds);
  await user.pubsub.topic(topic).publishMessage({ data: Buffer.from('grpc'), attributes: { by: 'grpc' } });
  expect((await pull()).map(({ message }) => message)).toMatchObject([{ ...data('grpc'), attributes: { by: 'grpc' } }]);
});

test('a subscription goes back to a time and to a snapshot', async () => {
  const retaining = `projects/conformance/subscriptions/${user.name('rest')}`;
  await done('PUT', retaining, { topic, retainAckedMessages: true });
  const snapshot = `projects/conformance/snapshots/${user.name('rest')}`;
  await done('POST', `${topic}:publish`, { messages: [data('once more')] });
  const made = await done('PUT', snapshot, { subscription: retaining });
  expect(made).toMatchObject({ name: snapshot, topic, expireTime: expect.stringMatching(/Z$/) });
  const acknowledge = async (): Promise<void> => {
    const ackIds = (await pull(retaining)).map(({ ackId }) => ackId);
    expect(ackIds).toHaveLength(1);
    await done('POST', `${retaining}:acknowledge`, { ackIds });
  };
  await acknowledge();
  await done('POST', `${retaining}:seek`, { time: '2020-01-01T00:00:00+01:00' });
  await acknowledge();
  await done('POST', `${retaining}:seek`, { snapshot });
  await acknowledge();
});

test('a schema is made and checks what is published', async () => {
  const name = user.name('schema');
  const definition = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'n', type: 'int' }] });
  const made = await done('POST', `projects/conformance/schemas?schemaId=${name}`, { type: 'AVRO', definition });
  const full = `projects/conformance/schemas/${name}`;
  expect(made).toMatchObject({ name: full, type: 'AVRO', definition, revisionId: expect.any(String) });
  expect(await done('GET', `${full}?view=BASIC`)).not.toHaveProperty('definition');
  const checked = `projects/conformance/topics/${user.name('rest')}`;
  await done('PUT', checked, { schemaSettings: { schema: full, encoding: 'JSON' } });
  await done('POST', `${checked}:publish`, { messages: [data('{"n":1}')] });
  expect(await send('POST', `${checked}:publish`, { messages: [data('{}')] })).toMatchObject(
    refusal(400, 'INVALID_ARGUMENT'),
  );
});

test('late acknowledgements of exactly-once delivery are named', async () => {
  const once = `projects/conformance/subscriptions/${user.name('rest')}`;
  await done('PUT', once, { topic, enableExactlyOnceDelivery: true });
  const { body, status } = await send('POST', `${once}:acknowledge`, { ackIds: ['gone'] });
  expect(status).toBe(400);
  expect(body.error).toMatchObject({
    status: 'INVALID_ARGUMENT',
    details: [{ reason: 'INVALID_ACK_ID', metadata: { gone: 'PERMANENT_FAILURE_INVALID_ACK_ID' } }],
  });
});

test.each([
  ['PUT', () => topic, {}, 409, 'ALREADY_EXISTS', /already exists/],
  ['POST', () => `${topic}-none:publish`, { messages: [data('x')] }, 404, 'NOT_FOUND', /Resource not found/],
  ['POST', () => `${topic}:publish`, {}, 400, 'INVALID_ARGUMENT', /no messages/],
  ['POST', () => `${topic}:publish`, { messages: {} }, 400, 'INVALID_ARGUMENT', /'messages': expected a list/],
  ['POST', () => `${topic}:publish`, { messages: [{ data: 'ä' }] }, 400, 'INVALID_ARGUMENT', /'messages\[0\].data'/],
  ['POST', () => `${topic}:publish`, { messages: [{ dta: '' }] }, 400, 'INVALID_ARGUMENT', /"dta" at 'messages\[0\]'/],
  ['POST', () => `${subscription}:pull`, { maxMessages: 0 }, 400, 'INVALID_ARGUMENT', /max_messages/],
  ['POST', () => `${subscription}:pull`, { maxMessages: '1.5' }, 400, 'INVALID_ARGUMENT', /TYPE_INT32/],
  ['POST', () => `${subscription}:seek`, { time: 'now' }, 400, 'INVALID_ARGUMENT', /Timestamp/],
  [
    'POST',
    () => `${subscription}:seek`,
    { time: '2020-01-01T00:00:00Z', snapshot: 'x' },
    400,
    'INVALID_ARGUMENT',
    /oneof/,
  ],
  ['GET', () => `${topic}?colour=red`, undefined, 400, 'INVALID_ARGUMENT', /"colour"/],
  ['PUT', () => `${topic}-a`, { messageTransforms: [{}] }, 501, 'UNIMPLEMENTED', /messageTransforms/],
  ['POST', () => `${topic}:fly`, {}, 404, 'NOT_FOUND', /Method not found/],
])('refused as Google refuses it: %s %s %j', async (method, path, body, code, status, message) => {
  expect(await send(method, path(), body)).toEqual(refusal(code, status, expect.stringMatching(message)));
});

test('a body that is no JSON is refused', async () => {
  const response = await fetch(`${server.restUrl}/v1/${topic}:publish`, { method: 'POST', body: '{' });
  expect({ status: response.status, body: await response.json() }).toEqual(
    refusal(400, 'INVALID_ARGUMENT', 'Invalid JSON payload received.'),
  );
});
