import { createHash } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ActivityResources } from '../../src/activities/index.ts';
import { planActivities } from '../../src/activities/plans.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { bronzeName } from '../../src/lakehouse/bronze/index.ts';
import { commitWaiting, digestTable } from '../../src/lakehouse/committer/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import type { ChunkObject, FailureReport } from '../../src/lakehouse/deltas/index.ts';
import { toChunk } from '../../src/lakehouse/planning/chunks.ts';
import { earthquakes } from '../support/contracts.ts';
import { BUCKETS, runKappaJob } from '../support/kappa-job.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';

let lake: Lake;
let activities: ReturnType<typeof planActivities>;
const contract = earthquakes((yaml) => yaml.replace('maxShare: 0.01', 'maxShare: 0.1'));

beforeAll(async () => {
  lake = await startLake();
  await publishContract(lake.store, 'cupel-ops', contract);
  const environment = readEnvironment({ ...BUCKETS, CUPEL_PROJECT: 'cupel-test' });
  activities = planActivities({ ...lake, environment } as unknown as ActivityResources);
});
afterAll(() => lake.stop());

const inActivity = <T>(work: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(work) as Promise<T>;
const hourOf = (hour: number) => `2025-01-01T${String(hour).padStart(2, '0')}`;
const partition = (hour: number) => `all_hour/${hourOf(hour)}`;

const record = (id: string) => ({
  type: 'Feature',
  properties: {
    mag: 1.5,
    time: 1_700_000_000_000,
    updated: 10,
    tsunami: 0,
    url: `https://example.org/eventpage/${id}`,
  },
  geometry: { type: 'Point', coordinates: [1, 2, -0.5] },
});
const records = (name: string, count: number) => Array.from({ length: count }, (_, index) => record(`${name}${index}`));
const poll = (features: unknown[]) =>
  JSON.stringify({ type: 'FeatureCollection', metadata: { generated: 1_700_000_100_000 }, features });

async function land(hour: number, text: string | undefined): Promise<ChunkObject> {
  const sha256 = createHash('sha256')
    .update(text ?? 'gone')
    .digest('hex');
  const name = bronzeName({
    source: 'earthquakes',
    feed: 'all_hour',
    hour: hourOf(hour),
    sha256,
    extension: 'geojson',
  });
  if (text !== undefined) await lake.store.create(`gs://cupel-bronze/${name}`, text);
  return { name, generation: '1', bytes: 1, partition: partition(hour) };
}

/** The report of a job, or undefined where it wrote none. */
async function reportAt(uri: string): Promise<FailureReport | undefined> {
  const bytes = await lake.store.readIfExists(uri);
  return bytes && (JSON.parse(bytes.toString()) as FailureReport);
}

test('a job names exactly the partitions that it cannot do and publishes nothing; the chunk without them goes through', async () => {
  const chunk = toChunk(contract, [
    await land(1, poll(records('a', 3))),
    await land(2, poll(records('b', 2))),
    await land(2, '{"type":"FeatureCollection","features":[{"type":'),
    await land(3, poll([...records('c', 2), 'no record', 7])),
    await land(4, undefined),
    // Refused records, and fewer than the contract allows.
    await land(5, poll([...records('d', 19), 'no record'])),
    await land(6, poll([])),
  ]);
  const uri = 'gs://cupel-ops/chunks/report.json';
  const { code, stderr } = await runKappaJob(lake, chunk, uri);
  expect(code).not.toBe(0);
  expect(stderr).toContain('CUP_PARTITIONS_FAILED');
  expect(await lake.deltas.readManifest(chunk.table, chunk.batchId)).toBeUndefined();
  const failed = [
    { partition: partition(2), code: 'CUP_OBJECT_UNREADABLE' },
    { partition: partition(3), code: 'CUP_QUARANTINE_CAP' },
    { partition: partition(4), code: 'CUP_OBJECT_NOT_FOUND' },
  ];
  expect(await reportAt(uri)).toEqual({ batchId: chunk.batchId, failed });
  expect(stderr).not.toContain(partition(1));

  // As the workflow goes on: the named ones are entered as failed, as they were listed, and the rest is another batch.
  const chunkUri = lake.deltas.chunkUri(chunk.batchId);
  const entered = await inActivity(() =>
    activities.failedPartitions({ chunkUri, code: 'CUP_PARTITIONS_FAILED', failed }),
  );
  const listed = new Map(chunk.partitions.map((of) => [of.partition, of.fingerprint]));
  expect(entered).toEqual(failed.map((of) => ({ ...of, fingerprint: listed.get(of.partition) })));
  const recut = await inActivity(() => activities.recutChunk({ chunkUri, without: failed.map((of) => of.partition) }));
  expect(recut).toMatchObject({ partitions: 3, objects: 3, published: false });
  const rest = await lake.deltas.readChunk(recut?.uri ?? '');
  expect(rest.batchId).not.toBe(chunk.batchId);

  const second = 'gs://cupel-ops/chunks/second.json';
  const again = await runKappaJob(lake, rest, second);
  expect(`${again.code} ${again.stderr}`).toBe('0 ');
  expect(await reportAt(second)).toBeUndefined();
  const manifest = await lake.deltas.readManifest(rest.table, rest.batchId);
  expect(manifest).toMatchObject({ recordsIn: 23, quarantined: 1, reduced: 0, rows: 22 });
  const counts = (hour: number, recordsIn: number, quarantined: number, rows: number) => {
    const fingerprint = listed.get(partition(hour));
    return { partition: partition(hour), fingerprint, recordsIn, quarantined, reduced: 0, rows };
  };
  expect(manifest?.byPartition).toEqual([counts(1, 3, 0, 3), counts(5, 20, 1, 19), counts(6, 0, 0, 0)]);

  // Nothing of the failed job reaches the table, though it had staged rows of the good partitions.
  await commitWaiting(lake, contract, [rest.batchId]);
  expect((await digestTable(lake, contract)).rows).toBe(22);
});

test('a partition above the cap in a batch below it is published: one bad record of a quiet hour stops nothing', async () => {
  const chunk = toChunk(contract, [
    await land(11, poll(records('x', 20))),
    await land(12, poll([...records('y', 1), 'no record'])),
  ]);
  const uri = 'gs://cupel-ops/chunks/third.json';
  const { code, stderr } = await runKappaJob(lake, chunk, uri);
  expect(`${code} ${stderr}`).toBe('0 ');
  expect(await reportAt(uri)).toBeUndefined();
  const manifest = await lake.deltas.readManifest(chunk.table, chunk.batchId);
  expect(manifest?.byPartition.map(({ quarantined, rows }) => [quarantined, rows])).toEqual([
    [0, 20],
    [1, 1],
  ]);
});

test('where every partition fails, nothing is left to run', async () => {
  const chunk = toChunk(contract, [await land(21, 'no JSON')]);
  const uri = 'gs://cupel-ops/chunks/fourth.json';
  expect((await runKappaJob(lake, chunk, uri)).code).not.toBe(0);
  const failed = (await reportAt(uri))?.failed ?? [];
  expect(failed).toEqual([{ partition: partition(21), code: 'CUP_OBJECT_UNREADABLE' }]);
  const without = failed.map((of) => of.partition);
  const chunkUri = lake.deltas.chunkUri(chunk.batchId);
  expect(await inActivity(() => activities.recutChunk({ chunkUri, without }))).toBeUndefined();
});
