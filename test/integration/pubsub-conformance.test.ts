import { AckError } from '@google-cloud/pubsub';
import type { CreateSubscriptionOptions, Message, Subscription } from '@google-cloud/pubsub';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { ack, PubsubUser, text, until } from '../support/pubsub.ts';

// What holds on Google holds here. With PUBSUB_EMULATOR_HOST given, the same is asked of the server there, such as Google's
// own emulator; `local` marks what that one does not have, as its documentation says: updates of topics and snapshots,
// and message retention.
const given = process.env.PUBSUB_EMULATOR_HOST;
console.log(`Pub/Sub's conformance: ${given ? `the server at ${given}` : 'the local server'} is asked`);
const local = test.skipIf(given !== undefined);

const [INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION] = [3, 5, 6, 9];

let server: PubsubServer | undefined;
let user: PubsubUser;

beforeAll(async () => {
  if (!given) server = await startPubsub();
  user = new PubsubUser(given ?? server?.endpoint ?? '');
});
afterEach(() => user.cleanUp());
afterAll(async () => {
  await user.close();
  await server?.stop();
});

const code = (expected: number) => expect.objectContaining({ code: expected }) as unknown;

async function refused(call: Promise<unknown>, expected: number): Promise<void> {
  expect(await call.catch((error: unknown) => error)).toEqual(code(expected));
}

describe('topics and subscriptions', () => {
  test('a topic is there once, with its labels, until it is deleted', async () => {
    const topic = await user.topic({ labels: { a: 'b' } });
    await refused(user.pubsub.createTopic(topic.name), ALREADY_EXISTS);
    expect((await topic.getMetadata())[0].labels).toEqual({ a: 'b' });
    await topic.delete();
    await refused(topic.getMetadata(), NOT_FOUND);
    await refused(topic.publishMessage(text('x')), NOT_FOUND);
  });

  local('an update of a topic touches the named fields only', async () => {
    const topic = await user.topic({ labels: { a: 'b' } });
    await topic.setMetadata({ messageRetentionDuration: { seconds: 600 } });
    await topic.setMetadata({ labels: {} });
    const [now] = await topic.getMetadata();
    expect(now.labels ?? {}).toEqual({});
    expect(now.messageRetentionDuration?.seconds).toBe('600');
  });

  test('a subscription keeps its options, is listed with its topic, and its updates touch the named fields only', async () => {
    const { topic, subscription } = await user.topicAndSubscription({ ackDeadlineSeconds: 33, labels: { x: 'y' } });
    await refused(user.pubsub.topic('nowhere').createSubscription('nothing'), NOT_FOUND);
    await refused(topic.createSubscription(subscription.name), ALREADY_EXISTS);
    await subscription.setMetadata({ labels: { x: 'z' } });
    const [metadata] = await subscription.getMetadata();
    expect(metadata).toMatchObject({ ackDeadlineSeconds: 33, labels: { x: 'z' }, topic: topic.name });
    expect((await topic.getSubscriptions())[0].map(({ name }) => name)).toEqual([subscription.name]);
    await subscription.delete();
    expect(await subscription.exists()).toEqual([false]);
  });

  test('lists come page by page, without other projects', async () => {
    const names = [await user.topic(), await user.topic(), await user.topic()].map(({ name }) => name);
    const other = 'projects/others/topics/elsewhere';
    await user.publisher.createTopic({ name: other }).catch(() => undefined);
    const seen: string[] = [];
    for (let pageToken: string | null = ''; pageToken !== null;) {
      const request: { pageToken: string; pageSize: number } = { pageSize: 2, pageToken };
      const answer = await user.publisher.listTopics(
        { project: 'projects/conformance', ...request },
        { autoPaginate: false },
      );
      const [page, , response] = answer;
      expect(page.length).toBeLessThanOrEqual(2);
      seen.push(...page.map(({ name }) => name ?? ''));
      pageToken = response.nextPageToken || null;
    }
    expect(seen).toEqual(expect.arrayContaining(names));
    expect(seen).not.toContain(other);
  });

  test('a subscription of a deleted topic keeps its messages and shows that the topic is gone', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    await topic.publishMessage(text('kept'));
    await topic.delete();
    expect((await subscription.getMetadata())[0].topic).toBe('_deleted-topic_');
    expect(await user.drain(subscription, 1)).toEqual(['kept']);
  });

  test('a detached subscription has no messages any more and gives none', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    await user.pubsub.detachSubscription(subscription.name);
    await topic.publishMessage(text('x'));
    expect((await subscription.getMetadata())[0].detached).toBe(true);
    await refused(user.pull(subscription), FAILED_PRECONDITION);
  });

  test.each(['ab', 'goog-topic', '1-topic', 'with/slash'])('the name %s is refused', async (name) => {
    await refused(user.publisher.createTopic({ name: `projects/conformance/topics/${name}` }), INVALID_ARGUMENT);
  });

  test.each<[string, CreateSubscriptionOptions]>([
    ['an ack deadline below 10 s', { ackDeadlineSeconds: 9 }],
    ['an ack deadline above 600 s', { ackDeadlineSeconds: 601 }],
    ['a retention below 10 minutes', { messageRetentionDuration: { seconds: 599 } }],
    ['a back-off above 600 s', { retryPolicy: { maximumBackoff: { seconds: 601 } } }],
    [
      'a least back-off above the greatest',
      { retryPolicy: { minimumBackoff: { seconds: 9 }, maximumBackoff: { seconds: 1 } } },
    ],
    ['a filter that cannot be read', { filter: 'data = "x"' }],
    ['a comparison without a value', { filter: 'attributes.a = ' }],
    ['AND and OR without parentheses', { filter: 'attributes:a AND attributes:b OR attributes:c' }],
    ['a filter of more than 256 bytes', { filter: `attributes.a = "${'x'.repeat(256)}"` }],
  ])('%s is refused', async (_, options) => {
    await refused(user.topicAndSubscription(options), INVALID_ARGUMENT);
  });

  test('fewer than 5 or more than 100 delivery attempts are refused', async () => {
    const { name: deadLetterTopic } = await user.topic();
    for (const maxDeliveryAttempts of [4, 101])
      await refused(
        user.topicAndSubscription({ deadLetterPolicy: { deadLetterTopic, maxDeliveryAttempts } }),
        INVALID_ARGUMENT,
      );
  });

  test('a dead letter topic that is not there is refused', async () => {
    const deadLetterTopic = 'projects/conformance/topics/nowhere';
    await refused(user.topicAndSubscription({ deadLetterPolicy: { deadLetterTopic } }), NOT_FOUND);
  });

  test.each(['filter', 'enable_message_ordering'])('%s never changes', async (path) => {
    const { topic, subscription } = await user.topicAndSubscription();
    const changed = { name: subscription.name, topic: topic.name, filter: 'attributes:a', enableMessageOrdering: true };
    const update = user.subscriber.updateSubscription({ subscription: changed, updateMask: { paths: [path] } });
    await refused(update, INVALID_ARGUMENT);
  });
});

describe('publishing', () => {
  test('each message is delivered once, as it was sent, with an id and the time', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    const got = user.receive(subscription, 500, ack);
    const ids = await Promise.all(
      Array.from({ length: 500 }, (_, i) => topic.publishMessage({ ...text(String(i)), attributes: { i: String(i) } })),
    );
    const messages = await got;
    expect(messages.map(({ id }) => id).sort()).toEqual(ids.sort());
    expect(messages.every((message) => message.data.toString() === message.attributes.i)).toBe(true);
    expect(Math.abs(Date.now() - messages[0]!.publishTime.getTime())).toBeLessThan(60_000);
  });

  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, 'x']));
  test.each([
    ['no message', []],
    ['neither data nor attributes', [{}]],
    ['more than 100 attributes', [{ attributes: many(101) }]],
    ['an attribute without a name', [{ attributes: { '': 'x' } }]],
    ['a name of more than 256 bytes', [{ attributes: { ['n'.repeat(257)]: 'x' } }]],
    ['a value of more than 1024 bytes', [{ attributes: { a: 'v'.repeat(1025) } }]],
  ])('%s: refused', async (_, messages) => {
    const { name: topic } = await user.topic();
    await refused(user.publisher.publish({ topic, messages }), INVALID_ARGUMENT);
  });

  test('the messages of a request share their ordering key', async () => {
    const { name: topic } = await user.topic();
    const messages = [
      { ...text('1'), orderingKey: 'a' },
      { ...text('2'), orderingKey: 'b' },
    ];
    await refused(user.publisher.publish({ topic, messages }), INVALID_ARGUMENT);
  });
});

describe('delivery', () => {
  test('no more messages are out than the client has room for', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    subscription.setOptions({ flowControl: { maxMessages: 3, allowExcessMessages: false } });
    await Promise.all(Array.from({ length: 12 }, () => topic.publishMessage(text('x'))));
    const held: Message[] = [];
    let most = 0;
    await user.receive(subscription, 12, (message) => {
      held.push(message);
      most = Math.max(most, held.length);
      if (held.length === 3) for (const one of held.splice(0)) one.ack();
    });
    expect(most).toBe(3);
  });

  test('a message that is given back comes again; one that is acknowledged does not', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    await topic.publishMessage(text('x'));
    const first = await user.pull(subscription);
    await user.setDeadline(subscription, first.ackIds, 0);
    expect(await user.drain(subscription, 1)).toEqual(['x']);
    expect((await user.pull(subscription)).texts).toEqual([]);
  });

  test('a message whose deadline passes comes again; an extension moves the deadline', async () => {
    const { topic, subscription } = await user.topicAndSubscription({ ackDeadlineSeconds: 600 });
    await Promise.all([topic.publishMessage(text('short')), topic.publishMessage(text('long'))]);
    const received: Awaited<ReturnType<PubsubUser['pull']>>['received'] = [];
    await until(async () => received.push(...(await user.pull(subscription)).received) === 2);
    const idOf = (data: string) => received.find(({ message }) => Buffer.from(message?.data ?? '').toString() === data);
    await user.setDeadline(subscription, [idOf('short')?.ackId ?? ''], 1);
    await user.setDeadline(subscription, [idOf('long')?.ackId ?? ''], 30);
    expect(await user.drain(subscription, 1)).toEqual(['short']);
  });

  test('a retry policy spaces the attempts, ever wider', async () => {
    const { topic, subscription } = await user.topicAndSubscription({
      retryPolicy: { minimumBackoff: { nanos: 300_000_000 }, maximumBackoff: { seconds: 1 } },
    });
    const times: number[] = [];
    const got = user.receive(subscription, 3, (message) => {
      times.push(Date.now());
      if (times.length < 3) message.nack();
      else message.ack();
    });
    await topic.publishMessage(text('again'));
    expect(new Set((await got).map(({ id }) => id)).size).toBe(1);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(290);
    expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(590);
  });

  test('a stream ends with NOT_FOUND when its subscription is deleted', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    const failed = new Promise<{ code?: number }>((resolve) => subscription.once('error', resolve));
    const first = new Promise<void>((resolve) =>
      subscription.on('message', (message: Message) => {
        message.ack();
        resolve();
      }),
    );
    await topic.publishMessage(text('x'));
    await first;
    await user.pubsub.subscription(subscription.name).delete();
    expect(await failed).toEqual(code(NOT_FOUND));
  });

  test.each([
    ['attributes.kind = "a"', ['1', '3']],
    ['attributes.kind = "a" AND hasPrefix(attributes.path, "x/")', ['1']],
    ['attributes.kind = "b AND c"', ['4']],
    ['attributes:path AND NOT attributes.kind = "a"', ['2']],
    ['(attributes.kind="b" OR attributes.kind = "b AND c") AND attributes.n != "2"', ['4']],
    ['attributes.kind = "q\\"q"', ['5']],
  ])('filter %s', async (filter, wanted) => {
    const { topic, subscription } = await user.topicAndSubscription({ filter });
    const all: Record<string, string>[] = [
      { kind: 'a', path: 'x/1' },
      { kind: 'b', path: 'y/1' },
      { kind: 'a', path: 'y/x/' },
      { kind: 'b AND c' },
      { kind: 'q"q' },
    ];
    for (const [i, attributes] of all.entries()) {
      const n = String(i + 1);
      await topic.publishMessage({ ...text(n), attributes: { ...attributes, n } });
    }
    expect(await user.drain(subscription, wanted.length)).toEqual(wanted);
    expect((await user.pull(subscription)).texts).toEqual([]);
  });
});

describe('ordering keys', () => {
  test('messages of a key come in the order in which they were sent', async () => {
    const { topic, subscription } = await user.topicAndSubscription({ enableMessageOrdering: true });
    topic.setPublishOptions({ messageOrdering: true });
    const got = user.receive(subscription, 100, ack);
    for (let i = 0; i < 50; i += 1)
      for (const orderingKey of ['a', 'b']) void topic.publishMessage({ ...text(String(i)), orderingKey });
    const messages = await got;
    const inOrder = Array.from({ length: 50 }, (_, i) => String(i));
    for (const key of ['a', 'b']) {
      const own = messages.filter(({ orderingKey }) => orderingKey === key);
      expect(own.map(({ data }) => data.toString())).toEqual(inOrder);
    }
  });

  test('where one comes again, all that follow it come again after it', async () => {
    const { topic, subscription } = await user.topicAndSubscription({ enableMessageOrdering: true });
    topic.setPublishOptions({ messageOrdering: true });
    const seen: string[] = [];
    let given = false;
    void user.receive(subscription, Infinity, (message) => {
      seen.push(message.data.toString());
      if (given || message.data.toString() !== '3') return message.ack();
      given = true;
      message.nack();
    });
    await Promise.all(
      Array.from({ length: 10 }, (_, i) => topic.publishMessage({ ...text(String(i)), orderingKey: 'a' })),
    );
    await until(() => seen.lastIndexOf('9') > seen.lastIndexOf('3') && seen.filter((one) => one === '3').length === 2);
    expect(seen.slice(0, 4)).toEqual(['0', '1', '2', '3']);
    expect(seen.slice(seen.lastIndexOf('3'))).toEqual(['3', '4', '5', '6', '7', '8', '9']);
  });
});

describe('dead letters', () => {
  test('a message that is refused too often goes to the dead letter topic once, with its origin', async () => {
    const dead = await user.topicAndSubscription();
    const { topic, subscription } = await user.topicAndSubscription({
      deadLetterPolicy: { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 },
    });
    const attempts: number[] = [];
    void user.receive(subscription, Infinity, (message) => {
      attempts.push(message.deliveryAttempt);
      message.nack();
    });
    const letter = user.receive(dead.subscription, 1, ack);
    await topic.publishMessage({ ...text('poison'), attributes: { mine: '1' } });
    const [message] = await letter;
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
    expect(message!.data.toString()).toBe('poison');
    expect(message!.attributes).toMatchObject({
      mine: '1',
      CloudPubSubDeadLetterSourceDeliveryCount: '5',
      CloudPubSubDeadLetterSourceSubscription: subscription.name.split('/').pop(),
      CloudPubSubDeadLetterSourceSubscriptionProject: 'conformance',
      CloudPubSubDeadLetterSourceTopicPublishTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown,
    });
    expect(message!.attributes).not.toHaveProperty('CloudPubSubDeadLetterSourceDeliveryErrorMessage');
  });

  test('attempts are counted only where there is a dead letter policy', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    await topic.publishMessage(text('x'));
    expect((await user.pull(subscription)).received[0]?.deliveryAttempt ?? 0).toBe(0);
  });
});

describe('exactly-once delivery', () => {
  test('an acknowledgement is confirmed', async () => {
    const { topic, subscription } = await user.topicAndSubscription({ enableExactlyOnceDelivery: true });
    const got = user.receive(subscription, 1, () => undefined);
    await topic.publishMessage(text('x'));
    expect(await (await got)[0]!.ackWithResponse()).toBe('SUCCESS');
  });

  test('an acknowledgement that comes too late fails, by the client and by the call', async () => {
    const { topic, subscription } = await user.topicAndSubscription({ enableExactlyOnceDelivery: true });
    const got = user.receive(subscription, 1, () => undefined);
    await topic.publishMessage(text('x'));
    const [message] = await got;
    await user.setDeadline(subscription, [message!.ackId], 0);
    await refused(user.acknowledge(subscription, [message!.ackId]), INVALID_ARGUMENT);
    const late = await message!.ackWithResponse().catch((error: unknown) => error);
    expect(late).toBeInstanceOf(AckError);
    expect((late as AckError).errorCode).toBe('INVALID');
  });
});

describe('seek', () => {
  async function published(subscription: Subscription, topicName: string, ...texts: string[]): Promise<void> {
    for (const one of texts) await user.pubsub.topic(topicName).publishMessage(text(one));
    expect(await user.drain(subscription, texts.length)).toEqual(texts);
  }

  test('to a time before: acknowledged messages from then on come again, where they are retained', async () => {
    const { topic, subscription } = await user.topicAndSubscription({ retainAckedMessages: true });
    await published(subscription, topic.name, '1', '2');
    const between = Date.now() + 1;
    await until(() => Date.now() > between);
    await published(subscription, topic.name, '3', '4');
    // By the call itself: the client's own `seek` leaves out fractions of a second.
    const time = { seconds: Math.floor(between / 1_000), nanos: (between % 1_000) * 1_000_000 };
    await user.subscriber.seek({ subscription: subscription.name, time });
    expect(await user.drain(subscription, 2)).toEqual(['3', '4']);
    await subscription.seek(new Date(0));
    expect(await user.drain(subscription, 4)).toEqual(['1', '2', '3', '4']);
  });

  test('to a time to come: all messages so far count as acknowledged', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    await topic.publishMessage(text('old'));
    const held = await user.pull(subscription);
    await topic.publishMessage(text('old, too'));
    await subscription.seek(new Date(Date.now() + 60_000));
    await user.setDeadline(subscription, held.ackIds, 0);
    await topic.publishMessage(text('new'));
    expect(await user.drain(subscription, 1)).toEqual(['new']);
    expect((await user.pull(subscription)).texts).toEqual([]);
  });

  test('to a snapshot: its backlog and all that came since are there again', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    await published(subscription, topic.name, 'before');
    await topic.publishMessage(text('1'));
    const name = user.name('snapshot');
    const [snapshot] = await subscription.createSnapshot(name);
    expect(await user.drain(subscription, 1)).toEqual(['1']);
    await published(subscription, topic.name, '2');
    await snapshot.seek();
    expect(await user.drain(subscription, 2)).toEqual(['1', '2']);
    expect((await user.pull(subscription)).texts).toEqual([]);
    await snapshot.delete();
    await refused(subscription.seek(name), NOT_FOUND);
  });

  test('a snapshot serves other subscriptions of its topic', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    await topic.publishMessage(text('1'));
    const name = user.name('snapshot');
    await subscription.createSnapshot(name);
    const later = await user.subscribe(topic);
    await later.seek(name);
    expect(await user.drain(later, 1)).toEqual(['1']);
    const elsewhere = await user.topicAndSubscription();
    const foreign = await elsewhere.subscription.seek(name).catch((error: unknown) => error);
    expect([INVALID_ARGUMENT, FAILED_PRECONDITION]).toContain((foreign as { code?: number }).code);
  });

  test('snapshots are listed, once each, and live a week', async () => {
    const { topic, subscription } = await user.topicAndSubscription();
    const name = `projects/conformance/snapshots/${user.name('snapshot')}`;
    const [snapshot] = await user.subscriber.createSnapshot({ name, subscription: subscription.name });
    await refused(user.subscriber.createSnapshot({ name, subscription: subscription.name }), ALREADY_EXISTS);
    expect(snapshot.topic).toBe(topic.name);
    const days = (Number(snapshot.expireTime?.seconds) - Date.now() / 1000) / 86_400;
    expect(days).toBeGreaterThan(6.9);
    expect(days).toBeLessThan(7.1);
    expect((await user.publisher.listTopicSnapshots({ topic: topic.name }))[0]).toEqual([name]);
    const [all] = await user.subscriber.listSnapshots({ project: 'projects/conformance' });
    expect(all.map((one) => one.name)).toContain(name);
  });

  local('labels and expiry of a snapshot change', async () => {
    const { subscription } = await user.topicAndSubscription();
    const name = `projects/conformance/snapshots/${user.name('snapshot')}`;
    await user.subscriber.createSnapshot({ name, subscription: subscription.name });
    await user.subscriber.updateSnapshot({ snapshot: { name, labels: { a: 'b' } }, updateMask: { paths: ['labels'] } });
    expect((await user.subscriber.getSnapshot({ snapshot: name }))[0].labels).toEqual({ a: 'b' });
    const past = { seconds: 1 };
    await user.subscriber.updateSnapshot({
      snapshot: { name, expireTime: past },
      updateMask: { paths: ['expire_time'] },
    });
    await refused(user.subscriber.getSnapshot({ snapshot: name }), NOT_FOUND);
  });

  local('a topic with retention gives its messages to a subscription that was made later', async () => {
    const topic = await user.topic({ messageRetentionDuration: { seconds: 600 } });
    await topic.publishMessage(text('early'));
    await topic.publishMessage({ ...text('other'), attributes: { kind: 'b' } });
    const later = await user.subscribe(topic, { filter: 'NOT attributes:kind' });
    expect((await later.getMetadata())[0].topicMessageRetentionDuration?.seconds).toBe('600');
    expect((await user.pull(later)).texts).toEqual([]);
    await later.seek(new Date(0));
    expect(await user.drain(later, 1)).toEqual(['early']);
    expect((await user.pull(later)).texts).toEqual([]);
  });
});

describe('schemas', () => {
  const definition = (...fields: object[]): string => JSON.stringify({ type: 'record', name: 'Felt', fields });
  const PLACE = { name: 'place', type: 'string' };
  const LEVEL = { name: 'level', type: ['null', 'int'], default: null };
  const parent = 'projects/conformance';

  async function create(text: string): Promise<{ name: string; revisionId: string }> {
    const request = { parent, schemaId: user.name('schema'), schema: { type: 'AVRO' as const, definition: text } };
    const [schema] = await user.schemas.createSchema(request);
    return { name: schema.name ?? '', revisionId: schema.revisionId ?? '' };
  }

  const commit = async (name: string, text: string): Promise<string> =>
    (await user.schemas.commitSchema({ name, schema: { name, type: 'AVRO', definition: text } }))[0].revisionId ?? '';

  test('a schema is there once, is listed with and without its definition, until it is deleted', async () => {
    const { name, revisionId } = await create(definition(PLACE));
    expect(revisionId).toMatch(/^[0-9a-f]{8}$/);
    const again = {
      parent,
      schemaId: name.split('/').pop() ?? '',
      schema: { type: 'AVRO' as const, definition: '"int"' },
    };
    await refused(user.schemas.createSchema(again), ALREADY_EXISTS);
    const [found] = await user.schemas.getSchema({ name, view: 'FULL' });
    expect(found).toMatchObject({ type: 'AVRO', definition: definition(PLACE), revisionId });
    const [basic] = await user.schemas.listSchemas({ parent, view: 'BASIC' });
    expect(basic.find((one) => one.name === name)?.definition ?? '').toBe('');
    await user.schemas.deleteSchema({ name });
    await refused(user.schemas.getSchema({ name }), NOT_FOUND);
  });

  test('a definition that is no schema is refused', async () => {
    await refused(create('{"type":"nothing"}'), INVALID_ARGUMENT);
    const schema = { name: `${parent}/schemas/any`, type: 'AVRO' as const, definition: '{' };
    await refused(user.schemas.validateSchema({ parent, schema }), INVALID_ARGUMENT);
  });

  test('revisions are committed, read by id, rolled back and deleted', async () => {
    const { name, revisionId: first } = await create(definition(PLACE));
    const second = await commit(name, definition(PLACE, LEVEL));
    expect((await user.schemas.getSchema({ name }))[0].revisionId).toBe(second);
    expect((await user.schemas.getSchema({ name: `${name}@${first}` }))[0].definition).toBe(definition(PLACE));
    const [third] = await user.schemas.rollbackSchema({ name, revisionId: first });
    expect(third.definition).toBe(definition(PLACE));
    const [revisions] = await user.schemas.listSchemaRevisions({ name, view: 'FULL' });
    expect(revisions.map(({ revisionId }) => revisionId)).toEqual([third.revisionId, second, first]);
    await user.schemas.deleteSchemaRevision({ name: `${name}@${first}` });
    await refused(user.schemas.getSchema({ name: `${name}@${first}` }), NOT_FOUND);
  });

  test.each([
    ['JSON', Buffer.from('{"place":"x"}'), true],
    ['JSON', Buffer.from('{"place":1}'), false],
    ['JSON', Buffer.from('{}'), false],
    ['JSON', Buffer.from('place'), false],
    ['BINARY', Buffer.from([2, 0x78]), true],
    ['BINARY', Buffer.from([4, 0x78]), false],
  ] as const)('a message is checked as %s: %s', async (encoding, message, valid) => {
    const { name } = await create(definition(PLACE));
    const checked = user.schemas.validateMessage({ parent, name, message, encoding });
    if (valid) await checked;
    else await refused(checked, INVALID_ARGUMENT);
  });

  test('a topic takes only what its schema allows, and tells subscribers by which revision', async () => {
    const { name, revisionId: first } = await create(definition(PLACE));
    const topic = await user.topic({ schemaSettings: { schema: name, encoding: 'JSON' } });
    const subscription = await user.subscribe(topic);
    await refused(topic.publishMessage(text('{"place":1}')), INVALID_ARGUMENT);
    await topic.publishMessage(text('{"place":"x"}'));
    const second = await commit(name, definition(PLACE, LEVEL));
    await topic.publishMessage(text('{"place":"x","level":{"int":3}}'));
    const received: Record<string, string>[] = [];
    await until(async () => {
      const pulled = (await user.pull(subscription)).received;
      return received.push(...pulled.map(({ message }) => message?.attributes ?? {})) === 2;
    });
    const stamp = (revision: string) => ({
      googclient_schemaencoding: 'JSON',
      googclient_schemaname: name,
      googclient_schemarevisionid: revision,
    });
    expect(received).toEqual(expect.arrayContaining([stamp(first), stamp(second)]));
  });

  test('a topic may be held to a range of revisions', async () => {
    const { name, revisionId: first } = await create(definition(PLACE));
    const second = await commit(name, definition(PLACE, LEVEL));
    const settings = { schema: name, encoding: 'JSON' as const };
    const upTo = await user.topic({ schemaSettings: { ...settings, lastRevisionId: first } });
    const from = await user.topic({ schemaSettings: { ...settings, firstRevisionId: second } });
    const [short, long] = ['{"place":"x"}', '{"place":"x","level":null}'];
    await upTo.publishMessage(text(short));
    await refused(upTo.publishMessage(text(long)), INVALID_ARGUMENT);
    await from.publishMessage(text(long));
    await refused(from.publishMessage(text(short)), INVALID_ARGUMENT);
  });

  test('a topic needs a schema that is there', async () => {
    const schemaSettings = { schema: `${parent}/schemas/nowhere`, encoding: 'JSON' as const };
    await refused(user.topic({ schemaSettings }), NOT_FOUND);
  });
});
