import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { CreateSubscriptionOptions, Topic } from '@google-cloud/pubsub';
import { Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { startStorage } from '../../local/storage/start.ts';
import { readContainer } from '../../src/formats/avro-container.ts';
import { ack, PubsubUser, text, until } from '../support/pubsub.ts';

const ARCHIVE_EVERY_MS = 300;

let folder: string;
let storageServer: { url: string; stop(): Promise<void> };
let storage: Storage;
let server: PubsubServer;
let user: PubsubUser;
let count = 0;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'cupel-pubsub-storage-'));
  storageServer = await startStorage({ stateDirectory: folder, logDirectory: folder });
  storage = new Storage({ projectId: 'p', apiEndpoint: storageServer.url });
  server = await startPubsub({ storage, archiveEveryMs: ARCHIVE_EVERY_MS });
  user = new PubsubUser(server.endpoint);
});
afterEach(() => user.cleanUp());
afterAll(async () => {
  await user.close();
  await server.stop();
  await storageServer.stop();
  rmSync(folder, { recursive: true });
});

type Config = Omit<NonNullable<CreateSubscriptionOptions['cloudStorageConfig']>, 'bucket'>;

function bucketName(): string {
  count += 1;
  return `archive-${count}`;
}

/** A topic, and its subscription that writes to a bucket of its own. */
async function archived(config: Config = {}, options: CreateSubscriptionOptions = {}) {
  const bucket = bucketName();
  await storage.createBucket(bucket);
  const made = await user.topicAndSubscription({ cloudStorageConfig: { bucket, ...config }, ...options });
  return { ...made, bucket };
}

/** Objects of a bucket, by name. */
async function objects(bucket: string): Promise<{ name: string; bytes: Buffer }[]> {
  const [files] = await storage.bucket(bucket).getFiles();
  return Promise.all(files.map(async (file) => ({ name: file.name, bytes: (await file.download())[0] })));
}

const publish = (topic: Topic, ...texts: string[]) => Promise.all(texts.map((one) => topic.publishMessage(text(one))));

const settled = (name: string) => until(() => server.backlog(name) === 0);

/** Lines of all objects. */
async function lines(bucket: string): Promise<string[]> {
  return (await objects(bucket)).flatMap(({ bytes }) => bytes.toString().split('\n').slice(0, -1));
}

test('texts: a line per message, in an object named by prefix, time, id and suffix', async () => {
  const { topic, subscription, bucket } = await archived({
    filenamePrefix: 'felt/',
    filenameSuffix: '.txt',
    filenameDatetimeFormat: 'YYYY-MM-DD/hh_mm_ssZ',
  });
  await publish(topic, 'a', 'b');
  await settled(subscription.name);
  const [object, ...others] = await objects(bucket);
  expect(others).toEqual([]);
  expect(object!.name).toMatch(/^felt\/\d{4}-\d\d-\d\d\/\d\d_\d\d_\d\dZ_[0-9a-f-]{36}\.txt$/);
  expect(object!.bytes.toString().split('\n').sort()).toEqual(['', 'a', 'b']);
});

test('Avro: the data alone, or with its metadata; the ordering key is an attribute', async () => {
  const topic = await user.topic();
  topic.setPublishOptions({ messageOrdering: true });
  const [plain, full] = [bucketName(), bucketName()];
  for (const bucket of [plain, full]) await storage.createBucket(bucket);
  const options = { enableMessageOrdering: true };
  await user.subscribe(topic, { ...options, cloudStorageConfig: { bucket: plain, avroConfig: {} } });
  const { name } = await user.subscribe(topic, {
    ...options,
    cloudStorageConfig: { bucket: full, avroConfig: { writeMetadata: true } },
  });
  const before = Date.now();
  const id = await topic.publishMessage({ ...text('body'), attributes: { kind: 'x' }, orderingKey: 'k' });
  await until(async () => (await objects(full)).length === 1 && (await objects(plain)).length === 1);
  expect(await readContainer((await objects(plain))[0]!.bytes)).toEqual([text('body')]);
  const [{ bytes } = { bytes: Buffer.alloc(0) }] = await objects(full);
  expect(bytes.toString('latin1')).toContain('"namespace":"com.google.pubsub","name":"PubsubMessageWithMetadata"');
  const [record] = await readContainer<{ publish_time: number }>(bytes);
  expect(record).toMatchObject({
    subscription_name: name,
    message_id: id,
    attributes: { kind: 'x', ordering_key: 'k' },
    ...text('body'),
  });
  expect(Math.abs(record!.publish_time / 1_000 - before)).toBeLessThan(10_000);
});

test("Avro by the topic's schema: its fields, those of a later revision too, then the metadata", async () => {
  const parent = 'projects/conformance';
  const definition = (...fields: object[]) => JSON.stringify({ type: 'record', name: 'Felt', fields });
  const place = { name: 'place', type: 'string' };
  const schema = { type: 'AVRO' as const, definition: definition(place) };
  const [{ name }] = await user.schemas.createSchema({ parent, schemaId: user.name('schema'), schema });
  const topic = await user.topic({ schemaSettings: { schema: name, encoding: 'JSON' } });
  const bucket = bucketName();
  await storage.createBucket(bucket);
  const avroConfig = { useTopicSchema: true, writeMetadata: true };
  const subscription = await user.subscribe(topic, { cloudStorageConfig: { bucket, avroConfig } });
  await publish(topic, '{"place":"x"}');
  const level = { name: 'level', type: 'int', default: -1 };
  const next = { ...schema, name: name!, definition: definition(place, level) };
  await user.schemas.commitSchema({ name: name!, schema: next });
  await publish(topic, '{"place":"y","level":3}');
  await settled(subscription.name);
  const all = await Promise.all(
    (await objects(bucket)).map(({ bytes }) => readContainer<Record<string, unknown>>(bytes)),
  );
  const records = all.flat().sort((a, b) => String(a.place).localeCompare(String(b.place)));
  expect(records.map((record) => [record.place, record.subscription_name])).toEqual([
    ['x', subscription.name],
    ['y', subscription.name],
  ]);
  expect(records[1]!.level).toBe(3);
});

test('a file is closed by its bytes and by its messages', async () => {
  const bySize = await archived({ maxBytes: 1_024 });
  await publish(bySize.topic, ...Array.from({ length: 8 }, (_, i) => String(i).repeat(399)));
  await settled(bySize.subscription.name);
  const sizes = (await objects(bySize.bucket)).map(({ bytes }) => bytes.length);
  expect(Math.max(...sizes)).toBe(800);
  const byCount = await archived({ maxMessages: 1_000 });
  await publish(byCount.topic, ...Array.from({ length: 2_500 }, (_, i) => String(i)));
  await settled(byCount.subscription.name);
  const counts = (await objects(byCount.bucket)).map(({ bytes }) => bytes.toString().split('\n').length - 1);
  expect(Math.max(...counts)).toBe(1_000);
  expect(new Set(await lines(byCount.bucket)).size).toBe(2_500);
});

test('a message is acknowledged only when its object is there', async () => {
  const own = await startPubsub({ storage });
  user.after(() => own.stop());
  const client = new PubsubUser(own.endpoint);
  user.after(() => client.close());
  const bucket = bucketName();
  await storage.createBucket(bucket);
  const cloudStorageConfig = { bucket, maxMessages: 1_000, maxDuration: { seconds: 600 } };
  const { topic, subscription } = await client.topicAndSubscription({ cloudStorageConfig });
  await publish(topic, ...Array.from({ length: 999 }, (_, i) => String(i)));
  expect(own.backlog(subscription.name)).toBe(999);
  expect(await objects(bucket)).toEqual([]);
  await publish(topic, 'the last');
  await until(() => own.backlog(subscription.name) === 0);
  expect(new Set(await lines(bucket)).size).toBe(1_000);
});

test('without a bucket: NOT_FOUND, messages stay and are no dead letters; they are written when it is there', async () => {
  const dead = await user.topicAndSubscription();
  const bucket = bucketName();
  const { topic, subscription } = await user.topicAndSubscription({
    cloudStorageConfig: { bucket },
    deadLetterPolicy: { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 },
  });
  await publish(topic, 'waits');
  const state = async () => {
    const [{ state, cloudStorageConfig }] = await subscription.getMetadata();
    return [state, cloudStorageConfig?.state];
  };
  expect(await state()).toEqual(['RESOURCE_ERROR', 'NOT_FOUND']);
  expect(server.backlog(subscription.name)).toBe(1);
  await storage.createBucket(bucket);
  await settled(subscription.name);
  expect(await lines(bucket)).toEqual(['waits']);
  expect(await state()).toEqual(['ACTIVE', 'ACTIVE']);
  expect(server.backlog(dead.subscription.name)).toBe(0);
});

test('a schema that goes with no file: SCHEMA_MISMATCH; a message that was never checked is a dead letter', async () => {
  const { subscription, topic } = await archived({ avroConfig: { useTopicSchema: true } });
  await publish(topic, 'unchecked');
  const [{ cloudStorageConfig }] = await subscription.getMetadata();
  expect(cloudStorageConfig?.state).toBe('SCHEMA_MISMATCH');
  const dead = await user.topicAndSubscription();
  const deadLetterPolicy = { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 };
  await subscription.setMetadata({ deadLetterPolicy });
  const schema = { type: 'AVRO' as const, definition: '{"type":"record","name":"R","fields":[]}' };
  const request = { parent: 'projects/conformance', schemaId: user.name('schema'), schema };
  const [{ name }] = await user.schemas.createSchema(request);
  const letter = user.receive(dead.subscription, 1, ack);
  await topic.setMetadata({ schemaSettings: { schema: name, encoding: 'JSON' } });
  expect((await letter)[0]!.attributes).toMatchObject({
    CloudPubSubDeadLetterSourceDeliveryErrorMessage: 'the message has no schema',
  });
});

test('kill -9 in the middle of a file: what was not written is written after a restart, what was is not lost', async () => {
  const stateDirectory = path.join(folder, 'killed');
  const bucket = bucketName();
  await storage.createBucket(bucket);
  const file = path.resolve(import.meta.dirname, '../../local/pubsub/server.ts');
  const code = `
    const { startPubsub } = await import(${JSON.stringify(file)});
    const { Storage } = await import('@google-cloud/storage');
    const storage = new Storage({ projectId: 'p', apiEndpoint: ${JSON.stringify(storageServer.url)} });
    const { endpoint } = await startPubsub({ storage, stateDirectory: ${JSON.stringify(stateDirectory)} });
    console.log(endpoint);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: path.dirname(file),
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const endpoint = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())),
  );
  const victim = new PubsubUser(endpoint);
  const { topic, subscription } = await victim.topicAndSubscription({
    cloudStorageConfig: { bucket, maxMessages: 1_000 },
  });
  const all = Array.from({ length: 1_700 }, (_, i) => String(i));
  await publish(topic, ...all);
  // One file is there, another is open.
  await until(async () => (await objects(bucket)).length === 1);
  child.kill('SIGKILL');
  await ended;
  await victim.close();

  const again = await startPubsub({ storage, stateDirectory, archiveEveryMs: ARCHIVE_EVERY_MS });
  user.after(() => again.stop());
  await until(() => again.backlog(subscription.name) === 0);
  expect(new Set(await lines(bucket))).toEqual(new Set(all));
});
