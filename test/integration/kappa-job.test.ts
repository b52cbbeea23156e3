import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bronzeName, parseBronzeName, partitionOf } from '../../src/lakehouse/bronze/index.ts';
import { commitWaiting, digestTable } from '../../src/lakehouse/committer/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import type { Chunk, ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import { toChunk } from '../../src/lakehouse/planning/chunks.ts';
import { earthquakes } from '../support/contracts.ts';
import { runKappaJob } from '../support/kappa-job.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { lawRows } from '../support/table-rows.ts';

let lake: Lake;
const contract = earthquakes((yaml) => yaml.replace('maxShare: 0.01', 'maxShare: 0.5'));
const strict = earthquakes();

beforeAll(async () => {
  lake = await startLake();
  await publishContract(lake.store, 'cupel-ops', contract);
  await publishContract(lake.store, 'cupel-ops', strict);
});
afterAll(() => lake.stop());

const good = (id: string, updated: number) => ({
  type: 'Feature',
  properties: { mag: 1.5, time: 1_700_000_000_000, updated, tsunami: 0, url: `https://example.org/eventpage/${id}` },
  geometry: { type: 'Point', coordinates: [1, 2, -0.5] },
});

/** A poll as text: records are given as text, so that the raw bytes are known. */
function pollText(generated: number, records: string[]): string {
  return `{ "type": "FeatureCollection", "metadata": { "generated": ${generated} },\n "features": [ ${records.join(' ,\n ')} ] }`;
}

async function land(text: string): Promise<ChunkObject> {
  const sha256 = createHash('sha256').update(text).digest('hex');
  const name = bronzeName({
    source: 'earthquakes',
    feed: 'all_hour',
    hour: '2025-01-01T13',
    sha256,
    extension: 'geojson',
  });
  await lake.store.create(`gs://cupel-bronze/${name}`, text);
  const parsed = parseBronzeName(name) as NonNullable<ReturnType<typeof parseBronzeName>>;
  return { name, generation: '1', bytes: text.length, partition: partitionOf(parsed) };
}

const run = (chunk: Chunk) => runKappaJob(lake, chunk);

async function listed(prefix: string): Promise<string[]> {
  const uris: string[] = [];
  for await (const object of lake.store.list(prefix)) uris.push(object.uri);
  return uris;
}

test('good records become deltas and one manifest; refused ones are kept with their bytes and a reason', async () => {
  const noId = '{"type":"Feature","properties":{"time": 1, "updated":2, "secret":"x\\u00e9"},  "geometry":null}';
  const wrongType = JSON.stringify({ ...good('w', 5), properties: { ...good('w', 5).properties, mag: 'strong' } });
  const objects = [
    await land(pollText(1_700_000_100_000, [JSON.stringify(good('a', 10)), noId, '"no object"'])),
    await land(pollText(1_700_000_200_000, [JSON.stringify(good('a', 20)), JSON.stringify(good('b', 5)), wrongType])),
  ];
  const chunk = toChunk(contract, objects);
  const { code, stdout, stderr } = await run(chunk);
  expect(`${code} ${stderr}`).toBe('0 ');
  expect(stdout).toContain('{"metric":"quarantined","value":3,"namespace":"kappa","step":"publish"}');

  const manifest = await lake.deltas.readManifest(chunk.table, chunk.batchId);
  expect(manifest).toMatchObject({ recordsIn: 6, quarantined: 3, rows: 2, reduced: 1, fingerprint: chunk.fingerprint });
  expect(manifest?.quarantine.map(({ reasonCode }) => reasonCode).sort()).toEqual([
    'missing_required',
    'not_an_object',
    'wrong_type',
  ]);
  expect(manifest?.byPartition).toMatchObject([{ partition: 'all_hour/2025-01-01T13', recordsIn: 6, quarantined: 3 }]);

  const kept = await Promise.all(
    (await listed('gs://cupel-quarantine/')).map(
      async (uri) => JSON.parse((await lake.store.read(uri)).toString()) as Record<string, string>,
    ),
  );
  const raw = (record: Record<string, string> | undefined) =>
    Buffer.from(record?.rawBase64 ?? '', 'base64').toString('utf8');
  expect(kept.map(raw).sort()).toEqual([noId, '"no object"', wrongType].sort());
  const strong = kept.find((record) => record.reasonCode === 'wrong_type');
  expect(strong?.detail).toBe('magnitude: expected a number');
  expect(JSON.stringify(strong)).not.toContain('strong');
  expect(await listed('gs://cupel-ops/stage/')).toEqual([]);

  const again = await run(chunk);
  expect(again).toEqual({ code: 0, stdout: '', stderr: '' });
  await commitWaiting(lake, contract, [chunk.batchId]);
  expect((await digestTable(lake, contract)).rows).toBe(2);
});

test('blocks too large for the runner are staged, and are gone once the batch is published', async () => {
  const ids = ['large1', 'large2', 'large3'];
  const place = 'far '.repeat(50_000);
  const records = ids.map((id) => good(id, 5)).map((one) => ({ ...one, properties: { ...one.properties, place } }));
  const poll = pollText(
    1_700_000_400_000,
    records.map((record) => JSON.stringify(record)),
  );
  const chunk = toChunk(contract, [await land(poll)]);
  const { code, stderr } = await run(chunk);
  expect(`${code} ${stderr}`).toBe('0 ');
  await commitWaiting(lake, contract, [chunk.batchId]);
  const rows = await lawRows(lake, contract);
  expect(rows.filter((row) => row.includes(place))).toHaveLength(ids.length);
  expect(await listed('gs://cupel-ops/stage/')).toEqual([]);
});

test('more refused records than the contract allows: nothing is published, all are kept', async () => {
  const before = (await listed('gs://cupel-quarantine/')).length;
  const chunk = toChunk(strict, [await land(pollText(1_700_000_300_000, [JSON.stringify(good('c', 1)), '7']))]);
  const { code, stderr } = await run(chunk);
  expect(code).not.toBe(0);
  expect(stderr).toContain('CUP_QUARANTINE_CAP');
  expect(await lake.deltas.readManifest(chunk.table, chunk.batchId)).toBeUndefined();
  expect(await listed('gs://cupel-quarantine/')).toHaveLength(before + 1);
});

test('an object that is gone fails the job', async () => {
  const object = {
    name: bronzeName({
      source: 'earthquakes',
      feed: 'all_hour',
      hour: '2025-01-01T13',
      sha256: 'e'.repeat(64),
      extension: 'geojson',
    }),
    generation: '1',
    bytes: 1,
    partition: 'all_hour/2025-01-01T13',
  };
  const { code, stderr } = await run(toChunk(contract, [object]));
  expect(code).not.toBe(0);
  expect(stderr).toContain('CUP_OBJECT_NOT_FOUND');
});
