import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PubSub, v1 } from '@google-cloud/pubsub';
import type { CreateSubscriptionOptions, Message, Subscription, Topic } from '@google-cloud/pubsub';
import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeServer } from '../../local/metadata/server.ts';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';

let server: PubsubServer;
let pubsub: PubSub;
let count = 0;
const cleanup: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await startPubsub({ identityToken: (audience) => `token-for-${audience}` });
  process.env.PUBSUB_EMULATOR_HOST = server.endpoint;
  process.env.METADATA_SERVER_DETECTION = 'none';
  pubsub = new PubSub({ projectId: 'p' });
});
afterEach(async () => {
  for (const undo of cleanup.splice(0)) await undo();
});
afterAll(async () => {
  await pubsub.close();
  await server.stop();
});

async function topicAndSubscription(
  options: CreateSubscriptionOptions = {},
): Promise<{ topic: Topic; subscription: Subscription }> {
  count += 1;
  const [topic] = await pubsub.createTopic(`t${count}`);
  const [subscription] = await topic.createSubscription(`s${count}`, options);
  return { topic, subscription };
}

/** Calls back for each message; resolves with all of them once there are so many. */
function receive(subscription: Subscription, wanted: number, handle: (message: Message) => void): Promise<Message[]> {
  cleanup.push(() => subscription.close());
  const seen: Message[] = [];
  return new Promise((resolve, reject) => {
    subscription.on('error', reject);
    subscription.on('message', (message: Message) => {
      seen.push(message);
      handle(message);
      if (seen.length === wanted) resolve(seen);
    });
  });
}

const ack = (message: Message): void => message.ack();

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 20_000, interval: 10 }).toBe(true);
}

/** Options of a low-level client. */
function plain(port: number) {
  return { servicePath: '127.0.0.1', port, sslCreds: credentials.createInsecure() };
}

/** One answer of a pull, through the client's low-level API. */
async function pull(subscription: Subscription, maxMessages = 10) {
  const client = new v1.SubscriberClient(plain(server.port));
  cleanup.push(() => client.close());
  const [answer] = await client.pull({ subscription: subscription.name, maxMessages });
  return { client, received: answer.receivedMessages ?? [] };
}

interface PushRequest {
  path: string;
  authorization: string | undefined;
  body: { message: Record<string, unknown>; subscription: string };
  at: number;
}

/** An endpoint that answers with these statuses in turn, and with the last one from then on. */
async function pushEndpoint(...statuses: number[]): Promise<{ url: string; requests: PushRequest[] }> {
  const requests: PushRequest[] = [];
  const http = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const { authorization } = request.headers;
      requests.push({
        path: request.url ?? '',
        authorization,
        body: JSON.parse(text) as PushRequest['body'],
        at: Date.now(),
      });
      const status = (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 500;
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => closeServer(http));
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/push`, requests };
}

test('topics: created once, labelled, listed by project, deleted', async () => {
  const { topic } = await topicAndSubscription();
  await expect(pubsub.createTopic(topic.name)).rejects.toMatchObject({ code: 6 });
  await topic.setMetadata({ labels: { a: 'b' } });
  expect((await topic.getMetadata())[0].labels).toEqual({ a: 'b' });
  const other = new PubSub({ projectId: 'other' });
  cleanup.push(() => other.close());
  expect((await other.getTopics())[0]).toEqual([]);
  expect((await pubsub.getTopics())[0].map(({ name }) => name)).toContain(topic.name);
  await topic.delete();
  await expect(topic.getMetadata()).rejects.toMatchObject({ code: 5 });
  await expect(topic.publishMessage({ data: Buffer.from('x') })).rejects.toMatchObject({ code: 5 });
});

test('an update of a topic touches the named fields only', async () => {
  const [topic] = await pubsub.createTopic({ name: 'masked', labels: { a: 'b' } });
  await topic.setMetadata({ messageRetentionDuration: { seconds: 600 } });
  await topic.setMetadata({ labels: {} });
  const [now] = await topic.getMetadata();
  expect(now.labels ?? {}).toEqual({});
  expect(now.messageRetentionDuration?.seconds).toBe('600');
});

test('subscriptions: unknown topic refused, options kept, updated, listed, deleted', async () => {
  const { topic, subscription } = await topicAndSubscription({
    ackDeadlineSeconds: 33,
    labels: { x: 'y' },
    enableExactlyOnceDelivery: true,
  });
  await expect(pubsub.topic('nowhere').createSubscription('s')).rejects.toMatchObject({ code: 5 });
  await expect(topic.createSubscription(subscription.name)).rejects.toMatchObject({ code: 6 });
  await subscription.setMetadata({ labels: { x: 'z' } });
  const [metadata] = await subscription.getMetadata();
  expect(metadata).toMatchObject({
    ackDeadlineSeconds: 33,
    labels: { x: 'z' },
    enableExactlyOnceDelivery: true,
    state: 'ACTIVE',
  });
  expect((await topic.getSubscriptions())[0].map(({ name }) => name)).toEqual([subscription.name]);
  await subscription.delete();
  expect(await subscription.exists()).toEqual([false]);
});

test('streams what is published, each message once', async () => {
  const { topic, subscription } = await topicAndSubscription();
  const got = receive(subscription, 1_000, ack);
  const ids = await Promise.all(
    Array.from({ length: 1_000 }, (_, i) =>
      topic.publishMessage({ data: Buffer.from(String(i)), attributes: { i: String(i) } }),
    ),
  );
  const messages = await got;
  expect(new Set(messages.map(({ id }) => id))).toEqual(new Set(ids));
  expect(messages.every((message) => message.data.toString() === message.attributes.i)).toBe(true);
  expect(Math.abs(Date.now() - messages[0]!.publishTime.getTime())).toBeLessThan(60_000);
  await until(() => server.backlog(subscription.name) === 0);
});

test('flow control: no more messages out than the client asked for', async () => {
  const { topic, subscription } = await topicAndSubscription();
  subscription.setOptions({ flowControl: { maxMessages: 3, allowExcessMessages: false } });
  await Promise.all(Array.from({ length: 12 }, () => topic.publishMessage({ data: Buffer.from('x') })));
  const held: Message[] = [];
  let most = 0;
  const all = receive(subscription, 12, (message) => {
    held.push(message);
    most = Math.max(most, held.length);
    if (held.length === 3) for (const one of held.splice(0)) one.ack();
  });
  await all;
  expect(most).toBe(3);
});

/** A raw stream: no client that holds back, extends deadlines or acknowledges. */
function rawStream(subscription: Subscription, request: object) {
  const client = new v1.SubscriberClient(plain(server.port));
  const stream = client.streamingPull();
  const received: { ackId: string; at: number }[] = [];
  stream.on('data', (answer: { receivedMessages?: { ackId: string }[] }) => {
    for (const { ackId } of answer.receivedMessages ?? []) received.push({ ackId, at: Date.now() });
  });
  stream.on('error', () => undefined);
  stream.write({ subscription: subscription.name, streamAckDeadlineSeconds: 60, ...request });
  cleanup.push(async () => {
    stream.destroy();
    await client.close();
  });
  return { stream, received };
}

test.each([
  ['messages', { maxOutstandingMessages: 3 }],
  // The message that crosses the limit still goes out.
  ['bytes', { maxOutstandingBytes: 250 }],
])('flow control of the server by %s', async (_, limit) => {
  const { topic, subscription } = await topicAndSubscription();
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
  const { topic, subscription } = await topicAndSubscription({ ackDeadlineSeconds: 600 });
  await topic.publishMessage({ data: Buffer.from('x') });
  const { received } = rawStream(subscription, { streamAckDeadlineSeconds: 1 });
  await until(() => received.length === 2);
  expect(received[1]!.at - received[0]!.at).toBeGreaterThanOrEqual(950);
});

test('a nack is delivered again; retry policy spaces the attempts', async () => {
  const { topic, subscription } = await topicAndSubscription({
    retryPolicy: { minimumBackoff: { nanos: 300_000_000 }, maximumBackoff: { seconds: 1 } },
  });
  const times: number[] = [];
  const got = receive(subscription, 3, (message) => {
    times.push(Date.now());
    if (times.length < 3) message.nack();
    else message.ack();
  });
  await topic.publishMessage({ data: Buffer.from('again') });
  expect(new Set((await got).map(({ id }) => id)).size).toBe(1);
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(290);
  expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(590);
});

test('pull: a message whose deadline passes comes again, one that is acknowledged does not', async () => {
  const { topic, subscription } = await topicAndSubscription({ ackDeadlineSeconds: 10 });
  await topic.publishMessage({ data: Buffer.from('x') });
  const { client, received } = await pull(subscription);
  const name = subscription.name;
  await client.modifyAckDeadline({ subscription: name, ackIds: [received[0]!.ackId!], ackDeadlineSeconds: 1 });
  // An empty pull is held open for a second at most, so the first or the second one gets it.
  const again = [...(await pull(subscription)).received, ...(await pull(subscription)).received];
  expect(again.map(({ message }) => message?.messageId)).toEqual([received[0]!.message?.messageId]);
  await client.acknowledge({ subscription: name, ackIds: [again[0]!.ackId!] });
  expect(server.backlog(name)).toBe(0);
});

test('pull of nothing waits a while and answers empty; a message that comes meanwhile ends the wait', async () => {
  const { topic, subscription } = await topicAndSubscription();
  const started = Date.now();
  expect((await pull(subscription)).received).toEqual([]);
  expect(Date.now() - started).toBeGreaterThanOrEqual(900);
  const waiting = pull(subscription);
  await topic.publishMessage({ data: Buffer.from('x') });
  expect((await waiting).received).toHaveLength(1);
});

test('ordering keys: in order within a key, also after a nack', async () => {
  const { subscription, topic } = await topicAndSubscription({ enableMessageOrdering: true });
  topic.setPublishOptions({ messageOrdering: true });
  for (let i = 0; i < 10; i += 1) {
    for (const orderingKey of ['a', 'b']) void topic.publishMessage({ data: Buffer.from(String(i)), orderingKey });
  }
  const done: Record<string, string[]> = { a: [], b: [] };
  let refused = false;
  await receive(subscription, 21, (message) => {
    if (!refused && message.orderingKey === 'a' && message.data.toString() === '3') {
      refused = true;
      message.nack();
      return;
    }
    done[message.orderingKey!]!.push(message.data.toString());
    message.ack();
  });
  const inOrder = Array.from({ length: 10 }, (_, i) => String(i));
  expect(done).toEqual({ a: inOrder, b: inOrder });
});

test.each([
  ['attributes.kind = "a"', ['1', '3']],
  ['attributes.kind = "a" AND hasPrefix(attributes.path, "x/")', ['1']],
  ['attributes.kind = "b AND c"', ['4']],
  ['attributes:path AND NOT attributes.kind = "a"', ['2']],
  ['(attributes.kind="b" OR attributes.kind = "b AND c") AND attributes.n != "2"', ['4']],
  ['attributes.kind = "q\\"q"', ['5']],
])('filter %s', async (filter, wanted) => {
  const { topic, subscription } = await topicAndSubscription({ filter });
  const send = (attributes: Record<string, string>) => topic.publishMessage({ attributes });
  await send({ n: '1', kind: 'a', path: 'x/1' });
  await send({ n: '2', kind: 'b', path: 'y/1' });
  await send({ n: '3', kind: 'a', path: 'y/x/' });
  await send({ n: '4', kind: 'b AND c' });
  await send({ n: '5', kind: 'q"q' });
  const { received } = await pull(subscription);
  expect(received.map(({ message }) => message?.attributes?.n)).toEqual(wanted);
});

test('a filter that cannot be read is refused', async () => {
  for (const filter of [
    'data = "x"',
    'attributes.a = ',
    'attributes.a = "b" AND',
    'attributes.a = "1" AND attributes.b = "2" OR attributes.c = "3"',
  ]) {
    await expect(topicAndSubscription({ filter })).rejects.toMatchObject({ code: 3 });
  }
});

test('a message that is refused too often goes to the dead letter topic once, with its origin', async () => {
  const dead = await topicAndSubscription();
  const { topic, subscription } = await topicAndSubscription();
  // Set by an update: the policy of now counts, not that of the start.
  await subscription.setMetadata({ deadLetterPolicy: { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 } });
  const attempts: number[] = [];
  void receive(subscription, Infinity, (message) => {
    attempts.push(message.deliveryAttempt);
    message.nack();
  });
  const letter = receive(dead.subscription, 1, ack);
  await topic.publishMessage({ data: Buffer.from('poison'), attributes: { mine: '1' } });
  const [message] = await letter;
  expect(attempts).toEqual([1, 2, 3, 4, 5]);
  expect(message!.data.toString()).toBe('poison');
  expect(message!.attributes).toMatchObject({
    mine: '1',
    CloudPubSubDeadLetterSourceDeliveryCount: '5',
    CloudPubSubDeadLetterSourceSubscription: subscription.name.split('/').pop(),
    CloudPubSubDeadLetterSourceSubscriptionProject: 'p',
  });
  await until(() => server.backlog(subscription.name) + server.backlog(dead.subscription.name) === 0);
});

test('without its dead letter topic a message keeps coming', async () => {
  const dead = await topicAndSubscription();
  const { topic, subscription } = await topicAndSubscription({
    deadLetterPolicy: { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 },
  });
  await dead.topic.delete();
  const got = receive(subscription, 7, (message) => (message.deliveryAttempt < 7 ? message.nack() : message.ack()));
  await topic.publishMessage({ data: Buffer.from('poison') });
  expect((await got).map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test('exactly-once subscriptions confirm acknowledgements', async () => {
  const { topic, subscription } = await topicAndSubscription({ enableExactlyOnceDelivery: true });
  const got = receive(subscription, 1, () => undefined);
  await topic.publishMessage({ data: Buffer.from('x') });
  expect(await (await got)[0]!.ackWithResponse()).toBe('SUCCESS');
});

test('push: wrapped JSON with an identity token; refused ones again, ever later', async () => {
  const endpoint = await pushEndpoint(500, 302, 429, 204);
  const { topic, subscription } = await topicAndSubscription({
    pushConfig: { pushEndpoint: endpoint.url, oidcToken: { serviceAccountEmail: 'a@b', audience: 'me' } },
  });
  const messageId = await topic.publishMessage({ data: Buffer.from('body'), attributes: { a: 'b' } });
  await until(() => endpoint.requests.length === 4 && server.backlog(subscription.name) === 0);
  const [first, second, third, fourth] = endpoint.requests;
  expect(new Set(endpoint.requests.map(({ path }) => path))).toEqual(new Set(['/push']));
  expect(first).toMatchObject({
    path: '/push',
    authorization: 'Bearer token-for-me',
    body: {
      message: { data: Buffer.from('body').toString('base64'), attributes: { a: 'b' }, messageId },
      subscription: subscription.name,
    },
  });
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(90);
  expect(third!.at - second!.at).toBeGreaterThanOrEqual(190);
  expect(fourth!.at - third!.at).toBeGreaterThanOrEqual(390);
});

test('a subscription changes from pull to push and back', async () => {
  const endpoint = await pushEndpoint(200);
  const { topic, subscription } = await topicAndSubscription();
  await topic.publishMessage({ data: Buffer.from('1') });
  await subscription.modifyPushConfig({ pushEndpoint: endpoint.url });
  await until(() => endpoint.requests.length === 1);
  expect(endpoint.requests[0]!.authorization).toBeUndefined();
  await subscription.modifyPushConfig({});
  await topic.publishMessage({ data: Buffer.from('2') });
  const { received } = await pull(subscription);
  expect(received.map(({ message }) => message?.data?.toString())).toEqual(['2']);
  expect(endpoint.requests).toHaveLength(1);
});

test('a stream ends with NOT_FOUND when its subscription is deleted', async () => {
  const { topic, subscription } = await topicAndSubscription();
  const failed = new Promise<{ code?: number }>((resolve) => subscription.once('error', resolve));
  const first = new Promise<void>((resolve) =>
    subscription.on('message', (message: Message) => {
      message.ack();
      resolve();
    }),
  );
  await topic.publishMessage({ data: Buffer.from('x') });
  await first;
  await pubsub.subscription(subscription.name).delete();
  expect(await failed).toMatchObject({ code: 5 });
});

test('stop leaves nothing behind that runs', async () => {
  const own = await startPubsub();
  const publisher = new v1.PublisherClient(plain(own.port));
  const subscriber = new v1.SubscriberClient(plain(own.port));
  const [topic, name] = ['projects/p/topics/t', 'projects/p/subscriptions/s'];
  await publisher.createTopic({ name: topic });
  await subscriber.createSubscription({ name, topic, retryPolicy: { minimumBackoff: { seconds: 500 } } });
  await publisher.publish({ topic, messages: [{ data: Buffer.from('1') }, { data: Buffer.from('2') }] });
  const [{ receivedMessages }] = await subscriber.pull({ subscription: name, maxMessages: 2 });
  await subscriber.modifyAckDeadline({
    subscription: name,
    ackIds: [receivedMessages![0]!.ackId!],
    ackDeadlineSeconds: 0,
  });
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await own.stop();
  // One deadline and one backoff are gone.
  expect(timers()).toBeLessThanOrEqual(before - 2);
  await publisher.close();
  await subscriber.close();
});
