import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { CreateSubscriptionOptions, Message, Subscription, Topic } from '@google-cloud/pubsub';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { feltReports } from '../../local/felt/reports.ts';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { buildSdk } from '../../scripts/build-sdk.ts';
import { PROJECT } from '../../scripts/tools.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { CupelClient } from '../../src/sdk/index.ts';
import type { ClientOptions } from '../../src/sdk/index.ts';
import { typesFile } from '../../src/sdk/types-file.ts';
import { contractOf } from '../support/contracts.ts';
import { startPublishProxy } from '../support/publish-proxy.ts';
import { ack, PubsubUser } from '../support/pubsub.ts';

const QUAKE = { event_id: 'ci1', time: Date.UTC(2025, 4, 4), longitude: -118, latitude: 34 };
const REPORTS = feltReports([QUAKE, { ...QUAKE, event_id: 'ci2' }], 3_000);
const [REPORT] = REPORTS;

let server: PubsubServer;
let user: PubsubUser;
let topic: Topic;
let contract: CompiledContract;

beforeAll(async () => {
  server = await startPubsub();
  user = new PubsubUser(server.endpoint);
});
beforeEach(async () => {
  topic = await user.topic();
  contract = contractOn(topic);
});
afterEach(() => user.cleanUp());
afterAll(async () => {
  await user.close();
  await server.stop();
});

/** The contract of the reports, on a topic of the test's own. */
function contractOn({ name }: Topic, orderingKey = ''): CompiledContract {
  const messaging = `topic: ${name.split('/').at(-1)}, ${orderingKey && `orderingKey: ${orderingKey}, `}`;
  return contractOf('felt_reports', (yaml) => yaml.replace('topic: felt_reports, ', messaging));
}

async function open(options: Partial<ClientOptions> = {}): Promise<CupelClient> {
  const client = await CupelClient.open({ contracts: [contract], project: 'conformance', ...options });
  user.after(() => client.close());
  return client;
}

function subscribe(options?: CreateSubscriptionOptions): Promise<Subscription> {
  return user.subscribe(topic, options);
}

const reportOf = ({ data }: Message) => JSON.parse(data.toString()) as (typeof REPORTS)[number];

test('many events arrive whole, each with an id of its own and the order in which they were published', async () => {
  const received = user.receive(await subscribe(), REPORTS.length, ack);
  const client = await open({ maxOutstandingMessages: 500 });
  const receipts = await Promise.all(REPORTS.map((report) => client.publish('felt_reports', report)));
  const messages = new Map((await received).map((message) => [message.attributes.record_id, message]));
  expect(messages.size).toBe(REPORTS.length);
  for (const [index, { recordId, messageId, carrierOrder }] of receipts.entries()) {
    const message = messages.get(recordId)!;
    expect(reportOf(message)).toEqual(REPORTS[index]);
    expect(message.id).toBe(messageId);
    const { source, contract: hash, carrier_order } = message.attributes;
    expect({ source, hash, carrier_order }).toEqual({
      source: 'felt_reports',
      hash: contract.hash,
      carrier_order: String(carrierOrder),
    });
    expect(carrierOrder).toBeGreaterThan(receipts[index - 1]?.carrierOrder ?? 0n);
  }
});

test('id, order and key may be given', async () => {
  const received = user.receive(await subscribe(), 1, ack);
  const client = await open();
  await client.publish('felt_reports', REPORT, { id: 'mine', carrierOrder: 17n, orderingKey: 'key' });
  const [message] = await received;
  expect(message).toMatchObject({
    orderingKey: 'key',
    attributes: { record_id: 'mine', carrier_order: '17' },
  });
});

test('close sends what waits in a batch, and then takes nothing more', async () => {
  const received = user.receive(await subscribe(), 3, ack);
  const client = await open({ batching: { maxMilliseconds: 3_600_000 } });
  const published = REPORTS.slice(0, 3).map((report) => client.publish('felt_reports', report));
  await client.close();
  expect((await Promise.all(published)).map(({ messageId }) => messageId).sort()).toEqual(
    (await received).map(({ id }) => id).sort(),
  );
  await expect(client.publish('felt_reports', REPORT)).rejects.toThrow('CUP_CLIENT_CLOSED');
  await client.close();
});

test('flush sends what waits in a batch, and more may follow', async () => {
  const received = user.receive(await subscribe(), 2, ack);
  const client = await open({ batching: { maxMilliseconds: 3_600_000 } });
  for (const report of REPORTS.slice(0, 2)) {
    const published = client.publish('felt_reports', report);
    await client.flush();
    await published;
  }
  expect(await received).toHaveLength(2);
});

test('messages of one key come in the order in which they were published', async () => {
  contract = contractOn(topic, 'event_id');
  const subscription = await subscribe({ enableMessageOrdering: true });
  const received = user.receive(subscription, 600, ack);
  const client = await open({ maxOutstandingMessages: 50 });
  const published = REPORTS.slice(0, 600);
  await Promise.all(published.map((report) => client.publish('felt_reports', report)));
  const reports = (await received).map(reportOf);
  for (const key of ['ci1', 'ci2'])
    expect(reports.filter(({ event_id }) => event_id === key)).toEqual(
      published.filter(({ event_id }) => event_id === key),
    );
});

test('a flush reaches those too that wait for others to arrive', async () => {
  const received = user.receive(await subscribe(), 20, ack);
  const client = await open({ batching: { maxMilliseconds: 3_600_000 }, maxOutstandingMessages: 3 });
  const published = REPORTS.slice(0, 20).map((report) => client.publish('felt_reports', report));
  await client.flush();
  await Promise.all(published);
  expect(await received).toHaveLength(20);
});

test('a flush lets no message of a key overtake one that Pub/Sub did not take at once', async () => {
  const proxy = await startPublishProxy(user.publisher, 'conformance');
  user.after(() => proxy.stop());
  const received = user.receive(await subscribe(), 2, ack);
  const client = await open({ pubsub: proxy.pubsub, batching: { maxMessages: 1 } });
  proxy.spoilNext('refuse');
  const published = ['first', 'second'].map((id) => client.publish('felt_reports', REPORT, { id, orderingKey: 'key' }));
  await client.flush();
  const [first, second] = await Promise.all(published);
  expect(Number(first?.messageId)).toBeLessThan(Number(second?.messageId));
  expect((await received).map(({ attributes }) => attributes.record_id)).toEqual(['first', 'second']);
});

test('an answer that is lost makes a second message of the same record, and no second record', async () => {
  const proxy = await startPublishProxy(user.publisher, 'conformance');
  user.after(() => proxy.stop());
  const received = user.receive(await subscribe(), 2, ack);
  const client = await open({ pubsub: proxy.pubsub });
  proxy.spoilNext('lose-answer');
  const { recordId, carrierOrder } = await client.publish('felt_reports', REPORT);
  expect(proxy.publishes).toBe(2);
  for (const { attributes } of await received)
    expect(attributes).toMatchObject({ record_id: recordId, carrier_order: String(carrierOrder) });
});

test('an event that the contract refuses is not sent', async () => {
  const client = await open();
  await expect(client.publish('felt_reports', { ...REPORT, intensity: 'strong' })).rejects.toMatchObject({
    code: 'CUP_EVENT_REFUSED',
    details: { source: 'felt_reports', reason: 'wrong_type', expected: 'intensity: expected an integer' },
  });
  await expect(client.publish('networks', {})).rejects.toThrow('CUP_SOURCE_UNKNOWN');
});

test('a key goes on after a failure: what was called behind the failed one fails, what is called then arrives', async () => {
  contract = contractOn(topic, 'event_id');
  const client = await open({ maxOutstandingMessages: 1 });
  await topic.delete();
  const report = { ...REPORT, event_id: 'a key that is a value' };
  const failed = await Promise.allSettled([1, 2, 3].map(() => client.publish('felt_reports', report)));
  for (const result of failed) {
    const { reason } = result as PromiseRejectedResult & { reason: Error };
    expect(reason).toMatchObject({ code: 'CUP_GOOGLE_REFUSED' });
    expect(String(reason)).not.toContain('a key that is a value');
  }
  await topic.create();
  const received = user.receive(await subscribe(), 1, ack);
  await client.publish('felt_reports', report);
  expect(reportOf((await received)[0]!)).toEqual(report);
});

test('contracts may come as a folder; a source that has no topic for apps is refused', async () => {
  const client = await open({ contracts: path.join(PROJECT, 'sources'), pubsub: user.pubsub });
  await expect(client.publish('earthquakes', {})).rejects.toThrow('CUP_SOURCE_UNPUBLISHABLE');
  await expect(client.publish('felt_reports', {})).rejects.toThrow('CUP_EVENT_REFUSED');
});

/** All that the SDK needs: no Temporal, no Beam, no DuckDB. */
const SDK_PACKAGES = ['@google-cloud/pubsub', 'ajv', 'avsc', 'canonicalize', 'yaml'];

/** Strict, and without looking at the types of Google's client and of Node. */
const COMPILER_OPTIONS =
  '--strict --noEmit --module nodenext --target es2024 --skipLibCheck --allowImportingTsExtensions'.split(' ');

const APP = `
import { openFeltReports } from './felt-reports.ts';
const reports = await openFeltReports({ project: 'conformance' });
await reports.publish(${JSON.stringify(REPORT)}, { id: 'from-the-app' });
await reports.close();
`;

test('an app that has the built package only publishes by its generated client', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'cupel-sdk-app-'));
  user.after(async () => rmSync(folder, { recursive: true }));
  const installed = path.join(folder, 'node_modules/cupel');
  mkdirSync(installed, { recursive: true });
  copyFileSync(path.join(PROJECT, 'package.json'), path.join(installed, 'package.json'));
  buildSdk(path.join(installed, 'dist'));
  for (const name of SDK_PACKAGES) {
    const link = path.join(installed, 'node_modules', name);
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(path.join(PROJECT, 'node_modules', name), link);
  }
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(path.join(folder, 'felt-reports.ts'), typesFile(contract));
  writeFileSync(path.join(folder, 'app.ts'), APP);
  const received = user.receive(await subscribe(), 1, ack);
  const run = (...args: string[]) => promisify(execFile)(process.execPath, args, { cwd: folder });
  await run(path.join(PROJECT, 'node_modules/typescript/bin/tsc'), ...COMPILER_OPTIONS, 'app.ts');
  await run('app.ts');
  expect((await received)[0]?.attributes).toMatchObject({ record_id: 'from-the-app', contract: contract.hash });
});
