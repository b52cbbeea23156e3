import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kappa } from '../../beam/pipeline.ts';
import { beam, directRunner } from '../../beam/sdk.ts';
import { publishOpenBatch, writeOpenBatch } from '../../beam/sinks/open-batch.ts';
import { STREAM_PARTITION } from '../../beam/sources/message-block.ts';
import { noCounts } from '../../beam/threads/counts.ts';
import type { BatchReference, ManifestPart } from '../../beam/threads/messages.ts';
import { stopPools } from '../../beam/threads/pool.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { bronzeName } from '../../src/lakehouse/bronze/index.ts';
import { contractUri, publishContract } from '../../src/lakehouse/contract-store.ts';
import type { Chunk } from '../../src/lakehouse/deltas/index.ts';
import { toStreamChunk } from '../../src/lakehouse/streams/index.ts';
import type { StreamedMessage } from '../../src/lakehouse/streams/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { BUCKETS } from '../support/kappa-job.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { commitStream, streamEntries } from '../support/stream-job.ts';
import { lawRows } from '../support/table-rows.ts';

// Batches that come with their elements, as a stream of windows has them: here without a runner that never ends.

let lake: Lake;
let contract: CompiledContract;
let next = 0;

beforeAll(async () => {
  lake = await startLake();
  Object.assign(process.env, BUCKETS, { CUPEL_PROJECT: 'cupel-test', CUPEL_STORAGE_ENDPOINT: lake.storageUrl });
  contract = earthquakes();
  await publishContract(lake.store, 'cupel-ops', contract);
});
afterAll(async () => {
  await stopPools();
  await lake.stop();
});

function message(event: string, version: number): StreamedMessage {
  next += 1;
  const properties = { mag: 1, time: 1_700_000_000_000, updated: 1_700_000_000_000 + version, place: 'x', tsunami: 0 };
  const url = `https://example.org/eventpage/${event}`;
  const geometry = { type: 'Point', coordinates: [1, 2, 3] };
  const data = JSON.stringify({ type: 'Feature', properties: { ...properties, url }, geometry });
  const sha256 = '0'.repeat(64);
  const hour = '2023-11-14T01';
  return {
    id: String(next),
    publishTime: String(1_700_000_000_000_000 + next),
    attributes: {
      source: contract.source,
      record_id: `r#${next}`,
      carrier_order: '1700000000000000',
      bronze_object: bronzeName({ source: contract.source, feed: 'all_hour', hour, sha256, extension: 'geojson' }),
    },
    data: Buffer.from(data).toString('base64'),
  };
}

/** Stages messages as the first steps of a stream do. */
async function stage(messages: StreamedMessage[]): Promise<{ batch: BatchReference; chunk: Chunk; uri: string }> {
  const uri = `${lake.deltas.stageUri('messages', randomUUID())}.json`;
  await lake.store.create(uri, JSON.stringify({ messages }), 'application/json');
  const chunk = toStreamChunk(contract, messages, STREAM_PARTITION);
  const { batchId, table } = chunk;
  const batch = { batchId, table, stage: lake.deltas.stageUri(batchId, randomUUID()) };
  await writeOpenBatch(lake.store, batch, { chunk, staged: [uri] });
  return { batch, chunk, uri };
}

const parameters = () => ({ contract: contractUri('cupel-ops', contract.source, contract.hash) });

async function staged(): Promise<number> {
  let objects = 0;
  for await (const _ of lake.store.list('gs://cupel-ops/stage/')) objects += 1;
  return objects;
}

test('the pipeline keeps batches apart that come through it at once, and leaves nothing staged', async () => {
  const first = await stage([message('a', 1), message('a', 3), message('b', 1)]);
  const second = await stage([message('a', 2), message('c', 1)]);
  const elements = [first, second].map(({ batch, uri }) => JSON.stringify({ staged: [uri], batch }));
  await directRunner().run((root) => root.apply(beam.create(elements)).apply(kappa(parameters())));
  const manifests = await Promise.all(
    [first, second].map(({ batch }) => lake.deltas.readManifest(batch.table, batch.batchId)),
  );
  expect(manifests).toMatchObject([
    { recordsIn: 3, rows: 2, reduced: 1, stream: { messages: 3 }, byPartition: [] },
    { recordsIn: 2, rows: 2, reduced: 0, stream: { messages: 2 } },
  ]);
  expect(await streamEntries(lake, contract)).toHaveLength(2);
  expect(await staged()).toBe(0);
  await commitStream(lake, contract);
  const rows = (await lawRows(lake, contract)).map((row) => JSON.parse(row) as Record<string, unknown>);
  expect(rows.map(({ event_id, updated_at }) => [event_id, Date.parse(String(updated_at)) % 1000])).toEqual([
    ['a', 3],
    ['b', 1],
    ['c', 1],
  ]);
});

test('a batch whose parts come in several firings has no manifest before the last; one that is fired again is told again', async () => {
  const { batch, chunk } = await stage([message('d', 1), message('e', 1)]);
  const part = (recordsIn: number, rows: number, bundle: string): ManifestPart => ({
    counts: { ...noCounts(), byPartition: { stream: { recordsIn, quarantined: 0, reduced: 0, rows } } },
    bundle,
  });
  const parts = [part(1, 0, 'x'), part(1, 0, 'y'), part(0, 1, 'p'), part(0, 1, 'q')];
  const published = () => lake.deltas.readManifest(batch.table, batch.batchId);
  const before = (await streamEntries(lake, contract)).length;
  await publishOpenBatch(parameters(), batch, parts.slice(0, 2));
  await publishOpenBatch(parameters(), batch, parts.slice(0, 2)); // as a retry of the bundle does
  await publishOpenBatch(parameters(), batch, parts.slice(2, 3));
  expect(await published()).toBeUndefined();
  await publishOpenBatch(parameters(), batch, parts.slice(3));
  expect(await published()).toMatchObject({ recordsIn: 2, stream: chunk.stream });
  await publishOpenBatch(parameters(), batch, parts.slice(3));
  const entries = (await streamEntries(lake, contract)).slice(before);
  expect(entries.map(({ batchId, messages }) => [batchId, messages])).toEqual([
    [batch.batchId, 2],
    [batch.batchId, 2],
  ]);
  expect(await staged()).toBe(0);
});

test('a batch of which neither content nor manifest is there ends the job', async () => {
  const batch = { batchId: '0'.repeat(64), table: 'silver.none', stage: 'gs://cupel-ops/stage/none' };
  await expect(publishOpenBatch(parameters(), batch, [])).rejects.toThrow(/manifest/);
});
