import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BigQuery } from '@google-cloud/bigquery';
import type { CreateSubscriptionOptions } from '@google-cloud/pubsub';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBigQuery } from '../../local/bigquery/start.ts';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { startGate } from '../support/gate.ts';
import type { Gate } from '../support/gate.ts';
import { memoryStore } from '../support/memory-lake.ts';
import { ack, PubsubUser, text, until } from '../support/pubsub.ts';

const PROJECT = 'cupel-test';

let folder: string;
let warehouse: { url: string; stop(): Promise<void> };
let gate: Gate;
let bigquery: BigQuery;
let server: PubsubServer;
let user: PubsubUser;
let count = 0;

const start = () => startPubsub({ bigquery, stateDirectory: path.join(folder, 'pubsub') });

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'cupel-pubsub-bigquery-'));
  warehouse = await startBigQuery({
    projectId: PROJECT,
    logDirectory: folder,
    storageRoot: folder,
    store: memoryStore(),
    catalog: { name: 'cupel', uri: 'http://127.0.0.1:1', warehouse: 'gs://none' },
  });
  gate = await startGate(warehouse.url);
  bigquery = new BigQuery({ projectId: PROJECT, apiEndpoint: gate.url });
  await bigquery.createDataset('raw');
  server = await start();
  user = new PubsubUser(server.endpoint);
});
afterEach(() => user.cleanUp());
afterAll(async () => {
  await user.close();
  await server.stop();
  await gate.stop();
  await warehouse.stop();
  rmSync(folder, { recursive: true });
});

type Field = { name: string; type: string; mode?: string; fields?: Field[] };

const METADATA: Field[] = [
  { name: 'subscription_name', type: 'STRING' },
  { name: 'message_id', type: 'STRING' },
  { name: 'publish_time', type: 'TIMESTAMP' },
  { name: 'attributes', type: 'JSON' },
];
const DATA: Field = { name: 'data', type: 'STRING' };

/** A name, and the table of that name where it has columns. */
async function table(fields?: Field[]): Promise<string> {
  count += 1;
  const name = `t${count}`;
  if (fields) await createTable(name, fields);
  return name;
}

async function createTable(name: string, fields: Field[]): Promise<void> {
  await bigquery.dataset('raw').createTable(name, { schema: fields });
}

const rowsOf = async (name: string): Promise<Record<string, unknown>[]> =>
  (await bigquery.query(`SELECT * FROM raw.${name}`))[0] as Record<string, unknown>[];

const hasRows = (name: string, wanted: number) => until(async () => (await rowsOf(name)).length === wanted);

type Config = NonNullable<CreateSubscriptionOptions['bigqueryConfig']>;

async function exported(name: string, config: Config = {}, options: CreateSubscriptionOptions = {}) {
  const bigqueryConfig = { table: `${PROJECT}.raw.${name}`, ...config };
  return user.topicAndSubscription({ bigqueryConfig, ...options });
}

type Exported = Awaited<ReturnType<typeof exported>>['subscription'];

async function stateOf(subscription: Exported): Promise<(string | null | undefined)[]> {
  const [{ state, bigqueryConfig }] = await subscription.getMetadata();
  return [state as string, bigqueryConfig?.state as string];
}

const inState = (subscription: Exported, ...wanted: string[]) =>
  expect.poll(() => stateOf(subscription), { timeout: 20_000 }).toEqual(wanted);

const settled = (subscription: Exported) => until(() => server.backlog(subscription.name) === 0);

test('a message is a row: its data, and with metadata where it came from', async () => {
  const name = await table([...METADATA, DATA]);
  const { topic, subscription } = await exported(name, { writeMetadata: true }, { enableMessageOrdering: true });
  expect(await stateOf(subscription)).toEqual(['ACTIVE', 'ACTIVE']);
  topic.setPublishOptions({ messageOrdering: true });
  const before = Date.now();
  const id = await topic.publishMessage({ ...text('{"a":1}'), attributes: { kind: 'x' }, orderingKey: 'k' });
  await settled(subscription);
  const [row] = await rowsOf(name);
  expect(row).toMatchObject({ subscription_name: subscription.name, message_id: id, data: '{"a":1}' });
  expect(JSON.parse(row!.attributes as string)).toEqual({ kind: 'x', ordering_key: 'k' });
  const time = Date.parse((row!.publish_time as { value: string }).value);
  expect(Math.abs(time - before)).toBeLessThan(10_000);
});

test('data goes into a column of bytes as it is', async () => {
  const name = await table([{ name: 'data', type: 'BYTES' }]);
  const { topic } = await exported(name);
  const data = Buffer.from([0, 0xff, 0x80]);
  await topic.publishMessage({ data });
  await hasRows(name, 1);
  expect(Buffer.from((await rowsOf(name))[0]!.data as Buffer)).toEqual(data);
});

test('a thousand messages are a thousand rows', async () => {
  const name = await table([DATA]);
  const { topic, subscription } = await exported(name);
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => topic.publishMessage(text(String(i)))));
  await settled(subscription);
  const rows = await rowsOf(name);
  expect(new Set(rows.map(({ data }) => data)).size).toBe(1_000);
  expect(rows).toHaveLength(1_000);
});

test('a message that makes no row goes to the dead letter topic, with the reason; others are not held up', async () => {
  const dead = await user.topicAndSubscription();
  const name = await table([{ name: 'data', type: 'JSON' }]);
  const deadLetterPolicy = { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 };
  const { topic, subscription } = await exported(name, {}, { deadLetterPolicy });
  const letter = user.receive(dead.subscription, 1, ack);
  await Promise.all([topic.publishMessage(text('no JSON')), topic.publishMessage(text('{"a":1}'))]);
  const [message] = await letter;
  expect(message!.data.toString()).toBe('no JSON');
  expect(message!.attributes).toMatchObject({
    CloudPubSubDeadLetterSourceDeliveryCount: '5',
    CloudPubSubDeadLetterSourceDeliveryErrorMessage: 'data is no JSON',
  });
  await settled(subscription);
  expect(await rowsOf(name)).toEqual([{ data: '{"a":1}' }]);
  expect(await stateOf(subscription)).toEqual(['ACTIVE', 'ACTIVE']);
});

test('without a table: NOT_FOUND, messages stay and are no dead letters; they are delivered when it is there', async () => {
  const dead = await user.topicAndSubscription();
  const name = await table();
  const deadLetterPolicy = { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 };
  const { topic, subscription } = await exported(name, {}, { deadLetterPolicy });
  expect(await stateOf(subscription)).toEqual(['RESOURCE_ERROR', 'NOT_FOUND']);
  await topic.publishMessage(text('waits'));
  expect(await stateOf(subscription)).toEqual(['RESOURCE_ERROR', 'NOT_FOUND']);
  expect(server.backlog(subscription.name)).toBe(1);
  await createTable(name, [DATA]);
  await hasRows(name, 1);
  expect(await stateOf(subscription)).toEqual(['ACTIVE', 'ACTIVE']);
  expect(server.backlog(dead.subscription.name)).toBe(0);
});

test('a table that is deleted while messages come: they wait for the next one', async () => {
  const name = await table([DATA]);
  const { topic, subscription } = await exported(name);
  await topic.publishMessage(text('1'));
  await settled(subscription);
  await bigquery.dataset('raw').table(name).delete();
  await topic.publishMessage(text('2'));
  await inState(subscription, 'RESOURCE_ERROR', 'NOT_FOUND');
  await createTable(name, [DATA]);
  await settled(subscription);
  expect(await rowsOf(name)).toEqual([{ data: '2' }]);
});

test.each<[string, Field[], Config]>([
  ['no column data', [{ name: 'body', type: 'STRING' }], {}],
  ['a column data of a type without texts', [{ name: 'data', type: 'INTEGER' }], {}],
  ['a further column that must have a value', [DATA, { name: 'more', type: 'STRING', mode: 'REQUIRED' }], {}],
  ['no columns for the metadata', [DATA], { writeMetadata: true }],
  ['a topic without the schema that is to be used', [DATA], { useTopicSchema: true }],
])('%s: SCHEMA_MISMATCH, and nothing is lost', async (_, fields, config) => {
  const name = await table(fields);
  const { topic, subscription } = await exported(name, config);
  await topic.publishMessage(text('waits'));
  expect(await stateOf(subscription)).toEqual(['RESOURCE_ERROR', 'SCHEMA_MISMATCH']);
  expect(server.backlog(subscription.name)).toBe(1);
});

test('without permission: PERMISSION_DENIED until it is given', async () => {
  const name = await table([DATA]);
  const { topic, subscription } = await exported(name);
  gate.refuse(403);
  user.after(() => Promise.resolve(gate.refuse(undefined)));
  await topic.publishMessage(text('waits'));
  await inState(subscription, 'RESOURCE_ERROR', 'PERMISSION_DENIED');
  expect(server.backlog(subscription.name)).toBe(1);
  gate.refuse(undefined);
  await hasRows(name, 1);
  await inState(subscription, 'ACTIVE', 'ACTIVE');
});

test('an error of BigQuery that passes is no error of the subscription, and makes no dead letter', async () => {
  const dead = await user.topicAndSubscription();
  const name = await table([DATA]);
  const deadLetterPolicy = { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 };
  const { topic, subscription } = await exported(name, {}, { deadLetterPolicy });
  const before = gate.refused();
  gate.refuse(401);
  user.after(() => Promise.resolve(gate.refuse(undefined)));
  await topic.publishMessage(text('waits'));
  // More often than the policy has attempts.
  await until(() => gate.refused() > before + 6);
  expect(await stateOf(subscription)).toEqual(['ACTIVE', 'ACTIVE']);
  expect(server.backlog(subscription.name)).toBe(1);
  gate.refuse(undefined);
  await hasRows(name, 1);
  expect(server.backlog(dead.subscription.name)).toBe(0);
});

test("by the table's schema: a column per field, of all types", async () => {
  const name = await table([
    { name: 'n', type: 'INTEGER', mode: 'REQUIRED' },
    { name: 'amount', type: 'NUMERIC' },
    { name: 'day', type: 'DATE' },
    { name: 'at', type: 'TIMESTAMP' },
    { name: 'raw', type: 'JSON' },
    { name: 'tags', type: 'STRING', mode: 'REPEATED' },
    { name: 'place', type: 'RECORD', fields: [{ name: 'lat', type: 'FLOAT' }] },
  ]);
  const { topic } = await exported(name, { useTableSchema: true });
  const at = 1_700_000_000_123_456;
  const raw = '{"a":[1]}';
  await topic.publishMessage(
    text(JSON.stringify({ n: 1, amount: '12.50', day: 1, at, raw, tags: ['x', 'y'], place: { lat: 1.5 } })),
  );
  await hasRows(name, 1);
  const [row] = await rowsOf(name);
  expect(row).toMatchObject({ n: 1, raw, tags: ['x', 'y'], place: { lat: 1.5 }, day: { value: '1970-01-02' } });
  expect(Number(row!.amount)).toBe(12.5);
  expect((row!.at as { value: string }).value).toMatch(/^2023-11-14T22:13:20\.123456/);
});

test("by the table's schema: unknown fields make a dead letter, unless they are dropped", async () => {
  const dead = await user.topicAndSubscription();
  const letter = user.receive(dead.subscription, 1, ack);
  const deadLetterPolicy = { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 };
  const fields = [{ name: 'n', type: 'INTEGER' }];
  const [strict, lenient] = [await table(fields), await table(fields)];
  const message = text('{"n":1,"more":2}');
  const one = await exported(strict, { useTableSchema: true }, { deadLetterPolicy });
  const other = await exported(lenient, { useTableSchema: true, dropUnknownFields: true });
  await Promise.all([one.topic.publishMessage(message), other.topic.publishMessage(message)]);
  const [{ attributes } = { attributes: {} }] = await letter;
  expect(attributes).toMatchObject({
    CloudPubSubDeadLetterSourceDeliveryErrorMessage: 'the table has no column more',
  });
  await hasRows(lenient, 1);
  expect(await rowsOf(lenient)).toEqual([{ n: 1 }]);
  expect(await rowsOf(strict)).toEqual([]);
});

test("by the topic's schema: a column per field; a new field needs a column, or is dropped", async () => {
  const parent = `projects/conformance`;
  const definition = (...fields: object[]) => JSON.stringify({ type: 'record', name: 'Felt', fields });
  const first = [
    { name: 'place', type: 'string' },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'level', type: ['null', 'int'], default: null },
  ];
  const schema = { type: 'AVRO' as const, definition: definition(...first) };
  const [{ name: schemaName }] = await user.schemas.createSchema({ parent, schemaId: user.name('schema'), schema });
  const topic = await user.topic({ schemaSettings: { schema: schemaName, encoding: 'JSON' } });
  const fields: Field[] = [
    { name: 'place', type: 'STRING', mode: 'REQUIRED' },
    { name: 'at', type: 'TIMESTAMP' },
    { name: 'level', type: 'INTEGER' },
  ];
  const [strict, lenient] = [await table(fields), await table(fields)];
  const configOf = (name: string): Config => ({ table: `${PROJECT}.raw.${name}`, useTopicSchema: true });
  const one = await user.subscribe(topic, { bigqueryConfig: configOf(strict) });
  const other = await user.subscribe(topic, { bigqueryConfig: { ...configOf(lenient), dropUnknownFields: true } });
  await topic.publishMessage(text('{"place":"x","at":1700000000123,"level":{"int":3}}'));
  await settled(one);
  const [row] = await rowsOf(strict);
  expect(row).toMatchObject({ place: 'x', level: 3 });
  expect((row!.at as { value: string }).value).toMatch(/^2023-11-14T22:13:20\.123/);

  const more = definition(...first, { name: 'note', type: 'string' });
  await user.schemas.commitSchema({ name: schemaName!, schema: { ...schema, name: schemaName!, definition: more } });
  await topic.publishMessage(text('{"place":"y","at":0,"level":null,"note":"z"}'));
  await inState(one, 'RESOURCE_ERROR', 'SCHEMA_MISMATCH');
  await hasRows(lenient, 2);
  expect(await stateOf(other)).toEqual(['ACTIVE', 'ACTIVE']);
  expect(await rowsOf(strict)).toHaveLength(1);
  expect(server.backlog(one.name)).toBe(1);
});

test('a restart goes on with what waits for its table', async () => {
  const name = await table();
  const { topic, subscription } = await exported(name);
  await topic.publishMessage(text('waits'));
  await user.close();
  await server.stop();
  server = await start();
  user = new PubsubUser(server.endpoint);
  expect(await stateOf(user.pubsub.subscription(subscription.name))).toEqual(['RESOURCE_ERROR', 'NOT_FOUND']);
  await createTable(name, [DATA]);
  await hasRows(name, 1);
});
