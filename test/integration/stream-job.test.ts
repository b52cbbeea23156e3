import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Subscription, Topic } from '@google-cloud/pubsub';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { unpackObject } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { recordPublisher } from '../../src/ingest/record-publisher.ts';
import { bronzeName, parseBronzeName, partitionOf } from '../../src/lakehouse/bronze/index.ts';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import type { ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import { toChunk } from '../../src/lakehouse/planning/chunks.ts';
import { contractOf, earthquakes } from '../support/contracts.ts';
import { runKappaJob } from '../support/kappa-job.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { PubsubUser, until } from '../support/pubsub.ts';
import { commitStream, startStreamJob, streamEntries } from '../support/stream-job.ts';
import type { StreamJob } from '../support/stream-job.ts';
import { lawRows } from '../support/table-rows.ts';

let lake: Lake;
let server: PubsubServer;
let user: PubsubUser;
let topic: Topic;
let subscription: Subscription;
let runs = 0;

beforeAll(async () => {
  [lake, server] = await Promise.all([startLake(), startPubsub()]);
  user = new PubsubUser(server.endpoint);
});
beforeEach(async () => {
  topic = await user.topic();
  subscription = await user.subscribe(topic, { ackDeadlineSeconds: 10 });
});
afterAll(async () => {
  await user.close();
  await Promise.all([lake.stop(), server.stop()]);
});

/** Batches small and soon. */
const quick = (yaml: string): string =>
  yaml.replace('maxBatch: 5000, maxLatencySeconds: 10', 'maxBatch: 300, maxLatencySeconds: 1');

/** The same contract twice, a table each: what the stream writes, and what a batch makes of the same records. */
function contracts(): { streamed: CompiledContract; batch: CompiledContract } {
  runs += 1;
  const table = `quakes_${runs}`;
  const of = (name: string) =>
    earthquakes((yaml) =>
      quick(yaml).replace('table: earthquakes,', `table: ${name},`).replace('maxShare: 0.01', 'maxShare: 0.5'),
    );
  return { streamed: of(table), batch: of(`${table}_batch`) };
}

/** Revisions of events: ties of versions with other contents, older versions in later polls, and records that nobody accepts. */
function pollText(poll: number): string {
  const features = Array.from({ length: 60 }, (_, index) => {
    const id = `ev${(index * 7 + poll * 3) % 40}`;
    const updated = 1_700_000_000_000 + ((index * 13 + poll * 5) % 17) * 1000;
    const properties = {
      mag: (index + poll) % 9,
      time: 1_699_999_000_000 + index,
      updated,
      place: `über ${poll}`,
      tsunami: 0,
    };
    const url = `https://example.org/eventpage/${id}`;
    return {
      type: 'Feature',
      properties: { ...properties, url },
      geometry: { type: 'Point', coordinates: [1, 2, -0.5] },
    };
  });
  const refused = { type: 'Feature', properties: { updated: 1 }, geometry: null };
  const generated = 1_700_000_100_000 + poll * 60_000;
  return JSON.stringify({ type: 'FeatureCollection', metadata: { generated }, features: [...features, refused] });
}

async function land(contract: CompiledContract, poll: number): Promise<{ object: ChunkObject; text: string }> {
  const text = pollText(poll);
  const sha256 = createHash('sha256').update(text).digest('hex');
  const hour = `2023-11-14T${String(poll % 24).padStart(2, '0')}`;
  const name = bronzeName({ source: contract.source, feed: 'all_hour', hour, sha256, extension: 'geojson' });
  const { outcome } = await lake.store.create(`gs://cupel-bronze/${name}`, text);
  expect(['created', 'exists']).toContain(outcome);
  const partition = partitionOf(parseBronzeName(name) as NonNullable<ReturnType<typeof parseBronzeName>>);
  return { object: { name, generation: '1', bytes: text.length, partition }, text };
}

function start(contract: CompiledContract, report?: string): StreamJob {
  const env = { PUBSUB_EMULATOR_HOST: server.endpoint, CUPEL_PROJECT: 'conformance' };
  const job = startStreamJob(lake, contract, subscription.name, env, report);
  user.after(() => Promise.resolve(job.child.kill('SIGKILL')));
  return job;
}

/** What a batch makes of objects. */
async function batchRows(contract: CompiledContract, objects: ChunkObject[]): Promise<string[]> {
  const chunk = toChunk(contract, objects);
  const { code, stderr } = await runKappaJob(lake, chunk);
  expect(`${code} ${stderr}`).toBe('0 ');
  await commitWaiting(lake, contract, [chunk.batchId]);
  return lawRows(lake, contract);
}

async function messagesOf(contract: CompiledContract): Promise<number> {
  return (await streamEntries(lake, contract)).reduce((sum, { messages }) => sum + messages, 0);
}

test('delivered three times, in reverse order, with a kill in between: the very table that a batch makes', async () => {
  const { streamed, batch } = contracts();
  await Promise.all([streamed, batch].map((contract) => publishContract(lake.store, 'cupel-ops', contract)));
  const polls = await Promise.all(Array.from({ length: 8 }, (_, poll) => land(streamed, poll)));
  const publisher = recordPublisher(user.pubsub, topic.name);
  const before = await messagesOf(streamed);
  const first = start(streamed);
  for (let round = 0; round < 3; round += 1) {
    for (const { object, text } of round ? polls.toReversed() : polls)
      await publisher.publish(streamed, object.name, await unpackObject(streamed, Buffer.from(text), object.name));
    if (round !== 1) continue;
    await until(async () => (await messagesOf(streamed)) > before);
    first.child.kill('SIGKILL');
  }
  await first.ended;
  const rows = await batchRows(
    batch,
    polls.map(({ object }) => object),
  );
  expect(rows).toHaveLength(40);

  const second = start(streamed);
  // Whatever was not acknowledged comes again, so there is no number of messages to wait for.
  const committed = async (): Promise<string[]> => {
    await commitStream(lake, streamed);
    return lawRows(lake, streamed);
  };
  await expect.poll(committed, { timeout: 20_000 }).toEqual(rows);
  second.child.kill('SIGTERM');
  expect(await second.ended).toBe(0);
  expect(second.stderr()).toBe('');
  expect(await committed()).toEqual(rows);
});

test('a poison message is kept in quarantine with its reason, and the stream goes on', async () => {
  const { streamed } = contracts();
  await publishContract(lake.store, 'cupel-ops', streamed);
  const { object, text } = await land(streamed, 30);
  await topic.publishMessage({ data: Buffer.from('\xff no JSON', 'latin1'), attributes: { source: 'earthquakes' } });
  const publisher = recordPublisher(user.pubsub, topic.name);
  await publisher.publish(streamed, object.name, await unpackObject(streamed, Buffer.from(text), object.name));
  const job = start(streamed);
  await until(() => job.metric('messages') === 62);
  job.child.kill('SIGTERM');
  expect(await job.ended).toBe(0);
  const entries = await streamEntries(lake, streamed);
  const manifests = await Promise.all(entries.map(({ table, batchId }) => lake.deltas.readManifest(table, batchId)));
  const reasons = manifests.flatMap((manifest) => manifest?.quarantine ?? []);
  expect(Object.fromEntries(reasons.map(({ reasonCode, count }) => [reasonCode, count]))).toEqual({
    malformed_record: 1,
    missing_required: 1,
  });
  expect(manifests.flatMap((manifest) => manifest?.byPartition ?? [])).toEqual([]);
});

test('what a frozen contract does not know ends the job, and its report says so; nothing is acknowledged', async () => {
  const { streamed } = contracts();
  const frozen = contractOf('earthquakes', (yaml) =>
    quick(yaml)
      .replace('table: earthquakes,', `table: ${streamed.sink.table}_frozen,`)
      .concat('  - { property: unknownFields, value: freeze }\n'),
  );
  await publishContract(lake.store, 'cupel-ops', frozen);
  const feature = { properties: { surprise: 1, time: 1, updated: 1, url: 'https://e.org/p/a' } };
  const attributes = { source: 'earthquakes', record_id: 'x#0', carrier_order: '1' };
  const bronze_object = bronzeName({
    source: 'earthquakes',
    feed: 'all_hour',
    hour: '2023-11-14T01',
    sha256: '0'.repeat(64),
    extension: 'geojson',
  });
  await topic.publishMessage({
    data: Buffer.from(JSON.stringify(feature)),
    attributes: { ...attributes, bronze_object },
  });
  const report = `gs://cupel-ops/streams/_reports/frozen-${runs}.json`;
  const job = start(frozen, report);
  expect(await job.ended).not.toBe(0);
  const told = JSON.parse((await lake.store.read(report)).toString()) as { failed: object[] };
  expect(told.failed).toEqual([{ partition: 'stream', code: 'CUP_SCHEMA_FROZEN' }]);
  const [{ receivedMessages }] = await user.subscriber.pull({ subscription: subscription.name, maxMessages: 10 });
  expect(receivedMessages).toHaveLength(1);
});
