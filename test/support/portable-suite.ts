import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import pLimit from 'p-limit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startUsgs } from '../../local/usgs/server.ts';
import { simulatePolls } from '../../local/usgs/simulator/simulate.ts';
import { PROJECT } from '../../scripts/tools.ts';
import { isPulled } from '../../src/contracts/index.ts';
import { bronzeName, hourOf, parseBronzeName, partitionOf } from '../../src/lakehouse/bronze/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import type { Chunk, ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import { toChunk, toPullChunk } from '../../src/lakehouse/planning/chunks.ts';
import { windowsOf } from '../../src/lakehouse/pull/index.ts';
import type { BeamRunner } from './beam-runners.ts';
import { earthquakes } from './contracts.ts';
import { runKappaJob } from './kappa-job.ts';
import { startLake } from './lake.ts';
import type { Lake } from './lake.ts';
import { somePolls } from './polls-folder.ts';
import { comparable, published } from './runner-parity.ts';

const MINUTES = 60_000;
const HOUR = 60 * MINUTES;

/** Descriptions of so many objects are more than 1 MB, which is where the SDK sends a bundle's output in parts. */
const OBJECTS = 5_200;

const contract = earthquakes((yaml) =>
  yaml
    .replace('maxShare: 0.01', 'maxShare: 0.5')
    .replace('pageSize: 20000', 'pageSize: 20000\n        requestsPerMinute: 6000'),
);
const strict = earthquakes();

/** Whole numbers of the records are greater: they need 64 bits. */
const BEYOND = 2 ** 31;

/** A record; of an id that ends in 00 one that is refused. */
function record(id: number, version: number): string {
  const properties = {
    mag: id % 100 ? (id % 80) / 10 : 'strong',
    time: 1_700_000_000_000 + id,
    updated: 1_700_000_000_000 + version,
    place: `${id} km S of Łódź "地震"`,
    tsunami: id % 2,
    sig: BEYOND + id,
    url: `https://example.org/eventpage/us${id}`,
  };
  return JSON.stringify({ type: 'Feature', properties, geometry: { type: 'Point', coordinates: [id % 180, -0.5, 0] } });
}

const poll = (generated: number, records: string[]): string =>
  `{"type":"FeatureCollection","metadata":{"generated":${generated}},"features":[${records.join()}]}`;

/** Tests of a runner with a job service of its own: what it publishes is what the direct runner publishes. */
export function portableSuite(start: () => Promise<BeamRunner>): void {
  let lake: Lake;
  let runner: BeamRunner;

  beforeAll(async () => {
    [lake, runner] = await Promise.all([startLake(), start()]);
    for (const of of [contract, strict]) await publishContract(lake.store, 'cupel-ops', of);
  }, 240_000);
  afterAll(async () => {
    await runner.stop();
    await lake.stop();
  });

  async function land(feed: string, time: number, bytes: Uint8Array | string): Promise<ChunkObject> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const name = bronzeName({
      source: 'earthquakes',
      feed,
      hour: hourOf(new Date(time)),
      sha256,
      extension: 'geojson',
    });
    await lake.store.create(`gs://cupel-bronze/${name}`, bytes);
    const parsed = parseBronzeName(name) as NonNullable<ReturnType<typeof parseBronzeName>>;
    return { name, generation: '1', bytes: bytes.length, partition: partitionOf(parsed) };
  }

  async function expectParity(chunkOf: (run: string) => Chunk, of = contract) {
    const direct = await published(lake, of, chunkOf('direct'));
    const portable = await published(lake, of, chunkOf(runner.name), runner);
    expect(comparable(portable.manifest)).toEqual(comparable(direct.manifest));
    expect(portable.rows).toEqual(direct.rows);
    return direct;
  }

  test('thousands of objects, whose bundle is over 1 MB: every field of every row, and every count', async () => {
    const limit = pLimit(32);
    const landing = Array.from({ length: OBJECTS }, (_, index) =>
      limit(() => {
        const records = [record(index, 1), record(index % 1_000, index)];
        const generated = 1_700_000_000_000 + index;
        return land('all_hour', generated + (index % 5) * HOUR, poll(generated, records));
      }),
    );
    const objects = await Promise.all(landing);
    expect(objects.map((object) => JSON.stringify(object)).join('').length).toBeGreaterThan(1_000_000);
    const { manifest, rows } = await expectParity((run) => toChunk(contract, objects, objects, run));
    expect(manifest.recordsIn).toBe(2 * OBJECTS);
    expect(manifest.quarantine).toEqual([{ reasonCode: 'wrong_type', count: (2 * OBJECTS) / 100 }]);
    expect(manifest.reduced).toBeGreaterThan(OBJECTS / 2);
    expect(rows).toHaveLength(manifest.rows);
    const significance = rows.map((row) => Number(/"significance":"(\d+)n"/.exec(row)?.[1]));
    expect(Math.min(...significance)).toBeGreaterThan(BEYOND);
    expect(rows.filter((row) => !row.includes('"_first_version":"2023-11-14T22:13:'))).toEqual([]);
  }, 600_000);

  test('polls of the feed', async () => {
    const { polls, kind } = await somePolls();
    console.log(`${polls.length} ${kind}`);
    const objects: ChunkObject[] = [];
    for (const { feed, generated, read } of polls) objects.push(await land(feed, generated, await read()));
    const { manifest } = await expectParity((run) => toChunk(contract, objects, objects, run));
    expect(manifest.rows).toBeGreaterThan(100);
  }, 600_000);

  test('a chunk that pulls: the job asks for its windows on either runner', async () => {
    const polls = simulatePolls({ days: 2 });
    const usgs = await startUsgs({ polls });
    Object.assign(process.env, {
      CUPEL_HTTP_ENDPOINTS: `earthquake.usgs.gov=${usgs.url}`,
      CUPEL_ALLOW_PRIVATE_ADDRESSES: '1',
    });
    try {
      usgs.show(polls.at(-1) as (typeof polls)[number]);
      const feed = contract.feeds.find(isPulled);
      if (!feed) throw new Error('expected a feed that is pulled');
      const from = Date.UTC(2025, 2, 1, 10);
      const windows = windowsOf(feed, { from, to: from + 4 * HOUR });
      const { manifest } = await expectParity((run) => toPullChunk(contract, windows, run));
      expect(manifest.rows).toBeGreaterThan(10);
    } finally {
      delete process.env.CUPEL_HTTP_ENDPOINTS;
      delete process.env.CUPEL_ALLOW_PRIVATE_ADDRESSES;
      await usgs.stop();
    }
  }, 300_000);

  test('a batch with too many refused records fails on it too, by name, and nothing is published', async () => {
    const chunk = toChunk(strict, [await land('all_hour', 1_700_000_000_000, poll(1, [record(1, 1), record(100, 1)]))]);
    const args = [`--runner=${runner.name}`, `--job-endpoint=${runner.jobEndpoint}`];
    const { code, stderr } = await runKappaJob(lake, chunk, undefined, undefined, args);
    expect(code).toBe(1);
    expect(stderr).toContain('CUP_QUARANTINE_CAP');
    expect(stderr).toContain('CUP_BEAM_JOB_FAILED');
    expect(await lake.deltas.readManifest(chunk.table, chunk.batchId)).toBeUndefined();
  }, 300_000);

  test('elements by the thousand, bare integers beyond 2^31 and counters come through as they are', () => {
    const job = path.join(PROJECT, 'test/support/wire-job.ts');
    const { stdout, stderr, status } = spawnSync(process.execPath, [job, runner.jobEndpoint], {
      encoding: 'utf8',
      timeout: 5 * MINUTES,
    });
    const out = /^OUT (.*)$/m.exec(stdout)?.[1];
    expect(`${status} ${out ? '' : stderr}`).toBe('0 ');
    const told = JSON.parse(out ?? '{}') as { groups: Record<string, number>; sums: Record<string, number> };
    const groups = Array.from({ length: 500 }, (_, index) => index);
    const of = (key: number) => groups.filter((index) => index % 7 === key);
    const keys = [0, 1, 2, 3, 4, 5, 6];
    expect(told).toEqual({
      numbers: [-(2 ** 31) - 1, -1, 0, 0.5, 2 ** 31, 1_750_027_960_897, Number.MAX_SAFE_INTEGER, 1e300],
      texts: 20_000,
      distinct: 20_000,
      groups: Object.fromEntries(keys.map((key) => [`k${key}`, 40 * of(key).length])),
      sums: Object.fromEntries(
        keys.map((key) => [`k${key}`, 40 * of(key).reduce((sum, index) => sum + 1_750_027_960_000 + index, 0)]),
      ),
      counters: { emitted: 20_000, kept: 20_000 },
    });
  }, 400_000);

  test('no job service at the address: the job says so', async () => {
    const chunk = toChunk(strict, [await land('all_hour', 1_700_000_000_000, poll(2, [record(1, 1)]))]);
    const args = [`--runner=${runner.name}`, '--job-endpoint=localhost:1'];
    const { code, stderr } = await runKappaJob(lake, chunk, undefined, undefined, args);
    expect(code).toBe(1);
    expect(stderr).toContain('CUP_BEAM_SERVICE_FAILED');
  }, 120_000);
}
