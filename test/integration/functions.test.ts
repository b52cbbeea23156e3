import { createHash } from 'node:crypto';
import { BigQuery } from '@google-cloud/bigquery';
import { PubSub } from '@google-cloud/pubsub';
import type { Message } from '@google-cloud/pubsub';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBigQuery } from '../../local/bigquery/start.ts';
import { startFunctions } from '../../local/functions/start.ts';
import type { Functions } from '../../local/functions/start.ts';
import { startMetadata } from '../../local/metadata/server.ts';
import type { MetadataServer } from '../../local/metadata/server.ts';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { startUsgs } from '../../local/usgs/server.ts';
import type { UsgsServer } from '../../local/usgs/server.ts';
import { simulatePolls } from '../../local/usgs/simulator/simulate.ts';
import type { PollResult } from '../../src/ingest/poll.ts';
import { admitContract } from '../../src/lakehouse/published-contract.ts';
import { Ledger } from '../../src/lakehouse/ledger/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';

const contract = earthquakes();
const polls = simulatePolls({ days: 1 }).filter((poll) => poll.feed === 'all_hour');
const poll = polls[3] as (typeof polls)[number];

let lake: Lake;
let metadata: MetadataServer;
let pubsubServer: PubsubServer;
let bigqueryServer: { url: string; stop(): Promise<void> };
let usgs: UsgsServer;
let functions: Functions;
let pubsub: PubSub;
let ledger: Ledger;

beforeAll(async () => {
  lake = await startLake();
  metadata = await startMetadata({ projectId: 'cupel-test' });
  pubsubServer = await startPubsub();
  usgs = await startUsgs({ polls });
  usgs.show(poll);
  const catalog = { name: 'cupel', uri: lake.catalogUrl, warehouse: 'gs://cupel-silver' };
  const folders = { logDirectory: lake.directory, storageRoot: lake.storageRoot };
  bigqueryServer = await startBigQuery({ projectId: 'cupel-test', ...folders, store: lake.store, catalog });
  Object.assign(process.env, {
    ...Object.fromEntries(
      ['bronze', 'silver', 'ops', 'quarantine'].map((name) => [`CUPEL_${name.toUpperCase()}_BUCKET`, `cupel-${name}`]),
    ),
    CUPEL_PROJECT: 'cupel-test',
    CUPEL_STORAGE_ENDPOINT: lake.storageUrl,
    CUPEL_BIGQUERY_ENDPOINT: bigqueryServer.url,
    CUPEL_HTTP_ENDPOINTS: `earthquake.usgs.gov=${usgs.url}`,
    CUPEL_ALLOW_PRIVATE_ADDRESSES: '1',
    PUBSUB_EMULATOR_HOST: pubsubServer.endpoint,
  });
  pubsub = new PubSub({ projectId: 'cupel-test' });
  await pubsub.createTopic('cupel-records');
  await pubsub.createSubscription('cupel-records', 'test');
  ledger = new Ledger(new BigQuery({ projectId: 'cupel-test', apiEndpoint: bigqueryServer.url }));
  await ledger.ensure();
  await admitContract({ store: lake.store, opsBucket: 'cupel-ops' }, contract);
  functions = await startFunctions((token, audience) => metadata.verify(token, audience));
});
afterAll(async () => {
  await functions.stop();
  await pubsub.close();
  await Promise.all([usgs.stop(), bigqueryServer.stop(), pubsubServer.stop(), metadata.stop()]);
  await lake.stop();
});

const post = (url: string, body: string, headers: Record<string, string> = {}, token = metadata.identityToken(url)) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body,
  });

const request = (changes: object = {}) =>
  JSON.stringify({
    source: 'earthquakes',
    feed: 'all_hour',
    nominalTime: new Date(poll.generated).toISOString(),
    contractHash: contract.hash,
    ...changes,
  });

async function pollNow(): Promise<PollResult> {
  const response = await post(functions.pollUrl, request());
  expect(response.status).toBe(200);
  return (await response.json()) as PollResult;
}

test('poll: without a token of the right audience nobody gets in', async () => {
  expect((await fetch(functions.pollUrl, { method: 'POST', body: request() })).status).toBe(403);
  expect((await post(functions.pollUrl, request(), {}, metadata.identityToken('https://other'))).status).toBe(403);
});

test('poll: lands the answer raw, publishes its records, marks it; again it changes nothing', async () => {
  const body = await poll.read();
  const result = await pollNow();
  const records = (JSON.parse(body.toString('utf8')) as { features: unknown[] }).features;
  expect(result).toMatchObject({
    alreadyLanded: false,
    state: 'landed',
    records: records.length,
    published: records.length,
  });
  expect(result.object).toContain(createHash('sha256').update(body).digest('hex'));
  expect((await lake.store.read(`gs://cupel-bronze/${result.object}`)).equals(body)).toBe(true);

  const received = await new Promise<Message[]>((resolve) => {
    const messages: Message[] = [];
    const subscription = pubsub.subscription('test');
    subscription.on('message', (message: Message) => {
      message.ack();
      if (messages.push(message) === records.length) void subscription.close().then(() => resolve(messages));
    });
  });
  const offsets = received
    .map(({ attributes }) => attributes.record_id?.split('#')[1])
    .sort((a, b) => Number(a) - Number(b));
  expect(offsets).toEqual(records.map((_, index) => String(index)));
  const attributes = {
    carrier_order: String(poll.generated * 1000),
    contract: contract.hash,
    bronze_object: result.object,
  };
  for (const message of received) expect(message.attributes).toMatchObject(attributes);

  expect(await pollNow()).toMatchObject({ alreadyLanded: true, published: 0, object: result.object });
  await lake.store.delete(`gs://cupel-ops/_outbox/${result.object}`); // as after a crash between landing and publishing
  expect(await pollNow()).toMatchObject({ alreadyLanded: true, published: records.length });
});

test('poll: what is of no use to try again is 400, with a code', async () => {
  for (const [changes, code] of [
    [{ feed: 'none' }, 'CUP_FEED_UNKNOWN'],
    [{ nominalTime: 'noon' }, 'CUP_REQUEST_INVALID'],
    [{ source: 7 }, 'CUP_REQUEST_INVALID'],
  ] as const) {
    const response = await post(functions.pollUrl, request(changes));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code });
  }
});

const eventHeaders = (id: string) => ({
  'ce-id': id,
  'ce-specversion': '1.0',
  'ce-type': 'google.cloud.storage.object.v1.finalized',
  'ce-source': '//storage.googleapis.com/projects/_/buckets/cupel-bronze',
});

const finalize = (name: string, id = 'e1') =>
  post(functions.onFinalizeUrl, JSON.stringify({ bucket: 'cupel-bronze', name, generation: '1' }), eventHeaders(id));

test('on-finalize: enters an arrival once, however often the event comes; a corrupt object is refused', async () => {
  const { object } = await pollNow();
  const corrupt = object.replace(/[0-9a-f]{64}/, 'a'.repeat(64));
  await lake.store.create(`gs://cupel-bronze/${corrupt}`, await poll.read());
  const answers = await Promise.all([
    finalize(object),
    finalize(object, 'e2'),
    finalize(corrupt),
    finalize('earthquakes/other.txt'),
  ]);
  expect(answers.map((answer) => answer.status)).toEqual([204, 204, 204, 204]);
  const arrivals = await ledger.latest('earthquakes', ['arrival']);
  const states = Object.fromEntries(arrivals.map(({ subject, state }) => [subject, state]));
  expect(states).toEqual({ [`${object}#1`]: 'verified', [`${corrupt}#1`]: 'refused' });
});

test('on-finalize: a request that is no finalize event is an error and enters nothing', async () => {
  const before = await ledger.latest('earthquakes', ['arrival']);
  expect((await post(functions.onFinalizeUrl, '{}')).status).toBe(500);
  expect((await post(functions.onFinalizeUrl, '{}', eventHeaders('e3'))).status).toBe(500);
  expect(await ledger.latest('earthquakes', ['arrival'])).toEqual(before);
});
