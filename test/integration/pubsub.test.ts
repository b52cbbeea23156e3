import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Subscription } from '@google-cloud/pubsub';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeServer, startMetadata } from '../../local/metadata/server.ts';
import type { MetadataServer } from '../../local/metadata/server.ts';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { PubsubUser, text, until } from '../support/pubsub.ts';

// What is ours, or has no place in the conformance suite: times below Google's least, pushes to this machine.

let metadata: MetadataServer;
let server: PubsubServer;
let user: PubsubUser;

beforeAll(async () => {
  metadata = await startMetadata({ projectId: 'p' });
  server = await startPubsub({ identityToken: metadata.identityToken });
  user = new PubsubUser(server.endpoint);
});
afterEach(() => user.cleanUp());
afterAll(async () => {
  await user.close();
  await server.stop();
  await metadata.stop();
});

interface PushRequest {
  headers: Record<string, string | string[] | undefined>;
  body: string;
  at: number;
}

/** An endpoint that answers with these statuses in turn, and with the last one from then on. */
async function pushEndpoint(...statuses: number[]): Promise<{ url: string; requests: PushRequest[] }> {
  const requests: PushRequest[] = [];
  const http = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      requests.push({ headers: { ...request.headers, path: request.url }, body, at: Date.now() });
      const status = (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 500;
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  user.after(() => closeServer(http));
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/push`, requests };
}

/** A raw stream: no client that holds back, extends deadlines or acknowledges. */
function rawStream(subscription: Subscription, request: object) {
  const stream = user.subscriber.streamingPull();
  const received: { ackId: string; at: number }[] = [];
  stream.on('data', (answer: { receivedMessages?: { ackId: string }[] }) => {
    for (const { ackId } of answer.receivedMessages ?? []) received.push({ ackId, at: Date.now() });
  });
  stream.on('error', () => undefined);
  stream.write({ subscription: subscription.name, streamAckDeadlineSeconds: 60, ...request });
  user.after(() => Promise.resolve(stream.destroy()));
  return { stream, received };
}

test.each([
  ['messages', { maxOutstandingMessages: 3 }],
  // The message that crosses the limit still goes out.
  ['bytes', { maxOutstandingBytes: 250 }],
])('flow control of the server by %s', async (_, limit) => {
  const { topic, subscription } = await user.topicAndSubscription();
  await Promise.all(Array.from({ length: 8 }, () => topic.publishMessage({ data: Buffer.alloc(100) })));
  const { stream, received } = rawStream(subscription, limit);
  for (let out = 3; out <= 8; out += 1) {
    await until(() => received.length === out);
    // Whatever the server would send too much is here before the answer to this call.
    expect((await topic.getSubscriptions())[0]).toHaveLength(1);
    expect(received).toHaveLength(out);
    stream.write({ ackIds: [received[out - 3]!.ackId] });
  }
});

test('the deadline of a stream counts, not that of its subscription', async () => {
  const { topic, subscription } = await user.topicAndSubscription({ ackDeadlineSeconds: 600 });
  await topic.publishMessage(text('x'));
  const { received } = rawStream(subscription, { streamAckDeadlineSeconds: 1 });
  await until(() => received.length === 2);
  expect(received[1]!.at - received[0]!.at).toBeGreaterThanOrEqual(950);
});

test('a stream of an exactly-once subscription confirms acknowledgements that came by it', async () => {
  const { topic, subscription } = await user.topicAndSubscription({ enableExactlyOnceDelivery: true });
  await topic.publishMessage(text('x'));
  const { stream, received } = rawStream(subscription, {});
  const confirmed: unknown[] = [];
  stream.on('data', (answer: { acknowledgeConfirmation?: unknown }) => {
    if (answer.acknowledgeConfirmation) confirmed.push(answer.acknowledgeConfirmation);
  });
  await until(() => received.length === 1);
  stream.write({ ackIds: [received[0]!.ackId, 'unknown'] });
  await until(() => confirmed.length === 1);
  expect(confirmed[0]).toMatchObject({ ackIds: [received[0]!.ackId], invalidAckIds: ['unknown'] });
});

test('pull of nothing waits a while and answers empty; a message that comes meanwhile ends the wait', async () => {
  const { topic, subscription } = await user.topicAndSubscription();
  const started = Date.now();
  expect((await user.pull(subscription)).texts).toEqual([]);
  expect(Date.now() - started).toBeGreaterThanOrEqual(900);
  const waiting = user.pull(subscription);
  await topic.publishMessage(text('x'));
  expect((await waiting).texts).toEqual(['x']);
});

test('pulls: a key whose messages are out gives the next ones only after those', async () => {
  const { topic, subscription } = await user.topicAndSubscription({ enableMessageOrdering: true });
  topic.setPublishOptions({ messageOrdering: true });
  const send = (data: string, orderingKey: string) => topic.publishMessage({ ...text(data), orderingKey });
  for (const data of ['a1', 'a2', 'a3']) await send(data, 'a');
  const first = await user.pull(subscription, 2);
  expect(first.texts).toEqual(['a1', 'a2']);
  await send('b1', 'b');
  expect((await user.pull(subscription)).texts).toEqual(['b1']);
  await user.acknowledge(subscription, [first.ackIds[1]!]);
  expect((await user.pull(subscription)).texts).toEqual([]);
  await user.acknowledge(subscription, [first.ackIds[0]!]);
  expect((await user.pull(subscription)).texts).toEqual(['a3']);
});

test('without its dead letter topic a message keeps coming', async () => {
  const dead = await user.topic();
  const { topic, subscription } = await user.topicAndSubscription();
  // Set by an update: the policy of now counts, not that of the start.
  await subscription.setMetadata({ deadLetterPolicy: { deadLetterTopic: dead.name, maxDeliveryAttempts: 5 } });
  await dead.delete();
  const got = user.receive(subscription, 7, (message) =>
    message.deliveryAttempt < 7 ? message.nack() : message.ack(),
  );
  await topic.publishMessage(text('poison'));
  expect((await got).map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  await until(() => server.backlog(subscription.name) === 0);
});

test('push: wrapped JSON with an ID token of the audience; refused ones again, ever later', async () => {
  const endpoint = await pushEndpoint(500, 302, 429, 204);
  const { topic, subscription } = await user.topicAndSubscription({
    pushConfig: { pushEndpoint: endpoint.url, oidcToken: { serviceAccountEmail: 'a@b', audience: 'me' } },
  });
  const messageId = await topic.publishMessage({ ...text('body'), attributes: { a: 'b' } });
  await until(() => endpoint.requests.length === 4 && server.backlog(subscription.name) === 0);
  const [first, second, third, fourth] = endpoint.requests;
  expect(new Set(endpoint.requests.map(({ headers }) => headers.path))).toEqual(new Set(['/push']));
  expect(JSON.parse(first!.body)).toMatchObject({
    message: { data: Buffer.from('body').toString('base64'), attributes: { a: 'b' }, messageId },
    subscription: subscription.name,
  });
  const token = String(first!.headers.authorization).replace('Bearer ', '');
  expect(metadata.verify(token, 'me')).toBe(true);
  expect(metadata.verify(token, endpoint.url)).toBe(false);
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(90);
  expect(third!.at - second!.at).toBeGreaterThanOrEqual(190);
  expect(fourth!.at - third!.at).toBeGreaterThanOrEqual(390);
});

test('push: the audience of a token is the endpoint, where none is given', async () => {
  const endpoint = await pushEndpoint(200);
  const pushConfig = { pushEndpoint: endpoint.url, oidcToken: { serviceAccountEmail: 'a@b' } };
  const { topic } = await user.topicAndSubscription({ pushConfig });
  await topic.publishMessage(text('x'));
  await until(() => endpoint.requests.length === 1);
  const token = String(endpoint.requests[0]!.headers.authorization).replace('Bearer ', '');
  expect(metadata.verify(token, endpoint.url)).toBe(true);
});

test('push without a wrapper: the data is the body, metadata and attributes are headers', async () => {
  const endpoint = await pushEndpoint(200);
  const { topic, subscription } = await user.topicAndSubscription({
    pushConfig: { pushEndpoint: endpoint.url, noWrapper: { writeMetadata: true } },
  });
  const messageId = await topic.publishMessage({ ...text('raw'), attributes: { kind: 'a' } });
  await until(() => endpoint.requests.length === 1);
  const [request] = endpoint.requests;
  expect(request!.body).toBe('raw');
  expect(request!.headers).toMatchObject({
    kind: 'a',
    'x-goog-pubsub-message-id': messageId,
    'x-goog-pubsub-subscription-name': subscription.name,
  });
  expect(request!.headers.authorization).toBeUndefined();
});

test('push: a message of a key waits for the one before it', async () => {
  const endpoint = await pushEndpoint(500, 200);
  const { topic } = await user.topicAndSubscription({
    enableMessageOrdering: true,
    pushConfig: { pushEndpoint: endpoint.url, noWrapper: {} },
  });
  topic.setPublishOptions({ messageOrdering: true });
  await Promise.all(['1', '2', '3'].map((data) => topic.publishMessage({ ...text(data), orderingKey: 'a' })));
  await until(() => endpoint.requests.length === 4);
  expect(endpoint.requests.map(({ body }) => body)).toEqual(['1', '1', '2', '3']);
});

test('a subscription changes from pull to push and back; while it pushes, it is not pulled', async () => {
  const endpoint = await pushEndpoint(200);
  const { topic, subscription } = await user.topicAndSubscription();
  await topic.publishMessage(text('1'));
  await subscription.modifyPushConfig({ pushEndpoint: endpoint.url });
  await until(() => endpoint.requests.length === 1);
  await expect(user.pull(subscription)).rejects.toMatchObject({ code: 9 });
  await subscription.modifyPushConfig({});
  await topic.publishMessage(text('2'));
  expect((await user.pull(subscription)).texts).toEqual(['2']);
  expect(endpoint.requests).toHaveLength(1);
});

test.each([
  ['a bucket name with gs://', { cloudStorageConfig: { bucket: 'gs://bucket' } }],
  ['a suffix that ends in /', { cloudStorageConfig: { bucket: 'bucket', filenameSuffix: 'x/' } }],
  [
    'a time format without minutes',
    { cloudStorageConfig: { bucket: 'bucket', filenameDatetimeFormat: 'YYYY-MM-DD/hh_ss' } },
  ],
  ['a duration below a minute', { cloudStorageConfig: { bucket: 'bucket', maxDuration: { seconds: 59 } } }],
  ['fewer than 1000 messages a file', { cloudStorageConfig: { bucket: 'bucket', maxMessages: 999 } }],
  ['fewer than 1024 bytes a file', { cloudStorageConfig: { bucket: 'bucket', maxBytes: 1023 } }],
  ['a table that is no full name', { bigqueryConfig: { table: 'raw.events' } }],
  ['two schemas', { bigqueryConfig: { table: 'p.d.t', useTopicSchema: true, useTableSchema: true } }],
  ['exactly-once with a push', { pushConfig: { pushEndpoint: 'http://127.0.0.1:1' }, enableExactlyOnceDelivery: true }],
  ['an endpoint that is no URL', { pushConfig: { pushEndpoint: 'nowhere' } }],
])('%s is refused', async (_, options) => {
  await expect(user.topicAndSubscription(options)).rejects.toMatchObject({ code: 3 });
});

test('an export is refused by a server that has nowhere to write', async () => {
  const table = { bigqueryConfig: { table: 'p.d.t' } };
  await expect(user.topicAndSubscription(table)).rejects.toMatchObject({ code: 9 });
  await expect(user.topicAndSubscription({ cloudStorageConfig: { bucket: 'bucket' } })).rejects.toMatchObject({
    code: 9,
  });
});

test('a schema of Protocol Buffers is not served, and says so', async () => {
  const schema = { type: 'PROTOCOL_BUFFER' as const, definition: 'syntax = "proto3"; message M {}' };
  const created = user.schemas.createSchema({ parent: 'projects/conformance', schemaId: 'protocol', schema });
  await expect(created).rejects.toMatchObject({ code: 12, message: expect.stringContaining('AVRO') as unknown });
});

test('what only Google has is not taken in silence', async () => {
  const messageTransforms = [{ javascriptUdf: { functionName: 'f', code: 'function f(m) { return m }' } }];
  await expect(user.topic({ messageTransforms })).rejects.toMatchObject({ code: 12 });
});

test('stop leaves nothing behind that runs', async () => {
  const own = await startPubsub();
  const other = new PubsubUser(own.endpoint);
  const topic = await other.topic();
  const subscription = await other.subscribe(topic, { retryPolicy: { minimumBackoff: { seconds: 500 } } });
  await topic.publishMessage(text('1'));
  await topic.publishMessage(text('2'));
  const { ackIds } = await other.pull(subscription, 2);
  await other.setDeadline(subscription, [ackIds[0]!], 0);
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await own.stop();
  // One deadline and one backoff are gone.
  expect(timers()).toBeLessThanOrEqual(before - 2);
  await other.close();
});
