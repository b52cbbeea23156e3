import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { bronzeName } from '../../src/lakehouse/bronze/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import { contractOf } from '../support/contracts.ts';
import { streamEntries } from '../support/stream-job.ts';
import { StreamLab } from '../support/stream-lab.ts';
import { EVENTS, landPoll, quickBatches, RECORDS, twoTables } from '../support/streamed-polls.ts';

let lab: StreamLab;
let runs = 0;

beforeAll(async () => {
  lab = await StreamLab.open();
});
beforeEach(async () => {
  runs += 1;
  await lab.newTopic();
});
afterEach(() => lab.user.cleanUp());
afterAll(() => lab.close());

const publishContracts = (...contracts: CompiledContract[]) =>
  Promise.all(contracts.map((contract) => publishContract(lab.lake.store, 'cupel-ops', contract)));

/** A job on a busy machine needs seconds before it reads its first message. */
const WITHIN = { timeout: 45_000, interval: 50 };

test('delivered three times, in reverse order, with a kill in between: the very table that a batch makes', async () => {
  const { streamed, batch } = twoTables(`quakes_${runs}`);
  await publishContracts(streamed, batch);
  const polls = await Promise.all(Array.from({ length: 8 }, (_, poll) => landPoll(lab.lake.store, streamed, poll)));
  const rows = await lab.batchRows(batch, polls);
  expect(rows).toHaveLength(EVENTS);

  const first = lab.start(streamed);
  await lab.publish(streamed, polls);
  await lab.publish(streamed, polls.toReversed());
  await expect.poll(() => first.metric('batches'), WITHIN).toBeGreaterThan(0);
  first.child.kill('SIGKILL');
  await first.ended;
  await lab.publish(streamed, polls.toReversed());
  const second = lab.start(streamed);
  await lab.untilRows(streamed, rows);
  await expect.poll(() => second.metric('messages'), WITHIN).toBeGreaterThanOrEqual(polls.length * RECORDS);
  second.child.kill('SIGTERM');
  expect(await second.ended).toBe(0);
  expect(second.stderr()).toBe('');
  await lab.untilRows(streamed, rows);
}, 120_000);

test('a poison message is kept in quarantine with its reason, and the stream goes on', async () => {
  const { streamed } = twoTables(`quakes_${runs}`);
  await publishContracts(streamed);
  await lab.topic.publishMessage({
    data: Buffer.from('\xff no JSON', 'latin1'),
    attributes: { source: 'earthquakes' },
  });
  await lab.publish(streamed, [await landPoll(lab.lake.store, streamed, 30)]);
  const job = lab.start(streamed);
  await expect.poll(() => job.metric('messages'), WITHIN).toBe(RECORDS + 1);
  job.child.kill('SIGTERM');
  expect(await job.ended).toBe(0);
  const entries = await streamEntries(lab.lake, streamed);
  const manifests = await Promise.all(
    entries.map(({ table, batchId }) => lab.lake.deltas.readManifest(table, batchId)),
  );
  const reasons = manifests.flatMap((manifest) => manifest?.quarantine ?? []);
  expect(Object.fromEntries(reasons.map(({ reasonCode, count }) => [reasonCode, count]))).toEqual({
    malformed_record: 1,
    missing_required: 1,
  });
  expect(manifests.flatMap((manifest) => manifest?.byPartition ?? [])).toEqual([]);
});

test('what a frozen contract does not know ends the job, and its report says so; nothing is acknowledged', async () => {
  const frozen = contractOf('earthquakes', (yaml) =>
    quickBatches(yaml)
      .replace('table: earthquakes,', `table: quakes_${runs}_frozen,`)
      .concat('  - { property: unknownFields, value: freeze }\n'),
  );
  await publishContracts(frozen);
  const feature = { properties: { surprise: 1, time: 1, updated: 1, url: 'https://e.org/p/a' } };
  const object = { source: 'earthquakes', feed: 'all_hour', hour: '2023-11-14T01', extension: 'geojson' };
  const bronze_object = bronzeName({ ...object, sha256: '0'.repeat(64) });
  const attributes = { source: 'earthquakes', record_id: 'x#0', carrier_order: '1', bronze_object };
  await lab.topic.publishMessage({ data: Buffer.from(JSON.stringify(feature)), attributes });
  const report = `gs://cupel-ops/streams/_reports/frozen-${runs}.json`;
  const job = lab.start(frozen, { report });
  expect(await job.ended).not.toBe(0);
  const told = JSON.parse((await lab.lake.store.read(report)).toString()) as { failed: object[] };
  expect(told.failed).toEqual([{ partition: 'stream', code: 'CUP_SCHEMA_FROZEN' }]);
  const subscription = lab.subscription.name;
  const [{ receivedMessages }] = await lab.user.subscriber.pull({ subscription, maxMessages: 10 });
  expect(receivedMessages).toHaveLength(1);
});
