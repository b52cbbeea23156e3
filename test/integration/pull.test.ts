import { createHash } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Poll } from '../../local/usgs/polls.ts';
import { startUsgs } from '../../local/usgs/server.ts';
import type { UsgsServer } from '../../local/usgs/server.ts';
import { simulatePolls } from '../../local/usgs/simulator/simulate.ts';
import { functionActivities } from '../../src/activities/functions.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import { planActivities } from '../../src/activities/plans.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { pollFeed } from '../../src/ingest/poll.ts';
import type { PollRequest, PollResult } from '../../src/ingest/poll.ts';
import { bronzeName, hourOf, parseBronzeName, partitionOf } from '../../src/lakehouse/bronze/index.ts';
import { commitWaiting, exportTable } from '../../src/lakehouse/committer/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import type { Chunk, ChunkObject, FailureReport, Manifest } from '../../src/lakehouse/deltas/index.ts';
import { batchEvents } from '../../src/lakehouse/ledger/index.ts';
import { toChunk, toPullChunk } from '../../src/lakehouse/planning/chunks.ts';
import { PullLog, windowsOf } from '../../src/lakehouse/pull/index.ts';
import { reconcileBronze } from '../../src/lakehouse/upkeep/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { BUCKETS, runKappaJob } from '../support/kappa-job.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { memoryLedger } from '../support/memory-ledger.ts';
import type { MemoryLedger } from '../support/memory-ledger.ts';
import { startOriginDoor } from '../support/origin-door.ts';
import type { OriginDoor } from '../support/origin-door.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const polls = simulatePolls({ days: 3 });
const quick = (yaml: string): string =>
  yaml.replace('pageSize: 20000', 'pageSize: 20000\n        requestsPerMinute: 6000');
const contract = earthquakes(quick);
const calm = earthquakes((yaml) =>
  yaml.replace('id: earthquakes', 'id: calm').replace('table: earthquakes', 'table: calm'),
);

let lake: Lake;
let usgs: UsgsServer;
let door: OriginDoor;
let ledger: MemoryLedger;
let plans: ReturnType<typeof planActivities>;
let functions: ReturnType<typeof functionActivities>;
let contractUri: string;

beforeAll(async () => {
  lake = await startLake();
  usgs = await startUsgs({ polls });
  door = await startOriginDoor(usgs.url);
  Object.assign(process.env, {
    CUPEL_HTTP_ENDPOINTS: `earthquake.usgs.gov=${door.url}`,
    CUPEL_ALLOW_PRIVATE_ADDRESSES: '1',
  });
  contractUri = await publishContract(lake.store, 'cupel-ops', contract);
  await publishContract(lake.store, 'cupel-ops', calm);
  ledger = memoryLedger();
  const environment = readEnvironment({ ...BUCKETS, CUPEL_PROJECT: 'cupel-test' });
  const fetch = { endpoints: { 'earthquake.usgs.gov': usgs.url }, allowPrivateAddresses: true };
  const publisher = { publish: () => Promise.resolve(0) };
  const names = { bronzeBucket: 'cupel-bronze', opsBucket: 'cupel-ops' };
  const callPoll = async (body: unknown) => ({
    status: 200,
    body: await pollFeed({ store: lake.store, ...names, publisher, fetch }, contract, body as PollRequest),
  });
  const resources = { ...lake, environment, ledger, callPoll } as unknown as ActivityResources;
  plans = planActivities(resources);
  functions = functionActivities(resources);
});
beforeEach(() => door.open());
afterAll(async () => {
  delete process.env.CUPEL_HTTP_ENDPOINTS;
  delete process.env.CUPEL_ALLOW_PRIVATE_ADDRESSES;
  await Promise.all([door.stop(), usgs.stop()]);
  await lake.stop();
});

const inActivity = <T>(work: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(work) as Promise<T>;
const iso = (time: number): string => new Date(time).toISOString();
const hour = (time: number): string => hourOf(new Date(time));

/** What the workflow `ingest` does: the poll, and a gap in the ledger where it came too late. */
async function ingest(feed: string, nominal: number): Promise<PollResult> {
  const poll = { source: 'earthquakes', feed, nominalTime: iso(nominal) };
  const result = await inActivity(() => functions.pollFeed(poll));
  if (result.state === 'gap') await inActivity(() => functions.recordGap({ ...poll, object: result.object }));
  return result;
}

/** Runs a chunk, commits it and enters it, as a backfill does. */
async function finish(of: CompiledContract, chunk: Chunk): Promise<Manifest> {
  const { code, stderr } = await runKappaJob(lake, chunk);
  expect(`${code} ${stderr}`).toBe('0 ');
  await commitWaiting(lake, of, [chunk.batchId]);
  await ledger.append(await batchEvents(lake.deltas, of.source, chunk.table, chunk.batchId));
  return (await lake.deltas.readManifest(chunk.table, chunk.batchId)) as Manifest;
}

async function exported(of: CompiledContract): Promise<Map<string, Record<string, unknown>>> {
  let text = '';
  for await (const part of exportTable(lake, of)) text += part;
  const rows = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return new Map(rows.map((row) => [String(row.event_id), row]));
}

/** Lands polls as if every one had come in time, under a source of their own. */
async function landCalm(shown: Poll[]): Promise<ChunkObject[]> {
  return Promise.all(
    shown.map(async (poll) => {
      const bytes = await poll.read();
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const name = bronzeName({
        source: 'calm',
        feed: poll.feed,
        hour: hour(poll.generated),
        sha256,
        extension: 'geojson',
      });
      await lake.store.create(`gs://cupel-bronze/${name}`, bytes);
      const partition = partitionOf(parseBronzeName(name) as NonNullable<ReturnType<typeof parseBronzeName>>);
      return { name, generation: '1', bytes: bytes.length, partition };
    }),
  );
}

/** Five hourly polls in a row between two of the wide feeds, with all versions that any poll shows of the events of the three in the middle. */
async function outage() {
  const hourly = polls.filter(({ feed }) => feed === 'all_hour');
  const slot = (poll: Poll | undefined): number => Math.floor((poll?.generated ?? 0) / HOUR);
  const inOneDay = (poll: Poll): boolean => slot(poll) % 24 >= 3 && slot(poll) % 24 <= 18;
  const wide = polls.filter(({ feed }) => feed !== 'all_hour');
  const alone = (from: Poll, to: Poll | undefined): boolean =>
    !wide.some(({ generated }) => generated > from.generated && generated <= (to?.generated ?? 0));
  const at = hourly.findIndex((poll, index) => {
    const fifth = hourly[index + 4];
    return index > 24 && inOneDay(poll) && slot(fifth) - slot(poll) === 4 && alone(poll, fifth);
  });
  const [before, ...rest] = hourly.slice(at, at + 5) as [Poll, Poll, Poll, Poll, Poll];
  const after = rest[3] as Poll;
  const versions = new Map<string, Set<number>>();
  for (const poll of polls.filter(({ generated }) => generated <= after.generated)) {
    const answer = JSON.parse((await poll.read()).toString('utf8')) as {
      features: { id?: string; properties: { updated: number; url: string } }[];
    };
    for (const { id, properties } of answer.features) {
      const key = id ?? properties.url.split('/').at(-1) ?? '';
      versions.set(key, (versions.get(key) ?? new Set()).add(properties.updated));
    }
  }
  return { before, lost: rest.slice(0, 3), after, versions };
}

test('a server that was down for three hours: gaps are pulled, and the table is that of an undisturbed source', async () => {
  const { before, lost, after, versions } = await outage();
  const until = polls.filter(({ generated }) => generated <= after.generated);
  await finish(calm, toChunk(calm, await landCalm(until)));

  // No feed answers between the polls before and after; then the ticks that were missed all get the same answer.
  for (const poll of until.filter(({ generated }) => generated <= before.generated)) {
    usgs.show(poll);
    await ingest(poll.feed, poll.generated);
  }
  usgs.show(after);
  for (const { generated } of lost) expect((await ingest('all_hour', generated)).state).toBe('gap');
  expect((await ingest('all_hour', after.generated)).state).toBe('landed');
  const range = { from: iso(polls[0]?.generated ?? 0), to: iso(after.generated + HOUR) };
  const { planUri } = await inActivity(() => plans.planRange({ ...range, contractUri }));
  const { chunks } = await inActivity(() => plans.validatePlan({ planUri, contractUri }));
  for (const { uri } of chunks) await finish(contract, await lake.deltas.readChunk(uri));

  const gapEvents = [...(await exported(calm)).values()].filter(({ event_time: at }) => {
    const time = Date.parse(String(at));
    return time > before.generated && time <= (lost[2]?.generated ?? 0);
  });
  const disturbed = await exported(contract);
  expect(gapEvents.filter(({ event_id: id }) => !disturbed.has(String(id))).length).toBeGreaterThan(5);

  // The plan names the windows that hold what the three answers would have shown.
  const around = { from: iso(before.generated - HOUR), to: iso(after.generated + HOUR) };
  const request = {
    ...around,
    contractUri,
    reprocess: 'stale',
    order: 'oldest',
    chunkBytes: 1 << 30,
    mode: 'pull',
  } as const;
  const plan = await inActivity(() => plans.planBackfill(request));
  expect(plan.totals).toMatchObject({
    missingSlots: 3,
    toProcess: { partitions: 1 },
    byState: { gap: { partitions: 3 } },
  });
  const [reference, ...others] = await plans.readPlanPage({ planUri: plan.planUri, page: 0 });
  expect(others).toEqual([]);
  if (!reference) throw new Error('expected a chunk');
  const verify = () =>
    inActivity(() => plans.verifyPlan({ planUri: plan.planUri, source: 'earthquakes', run: 'first' }));
  expect(await verify()).toEqual({ done: 0, open: 1, first: [`fdsn/${iso(after.generated).slice(0, 10)}T00`] });
  const prepared = await inActivity(() =>
    plans.prepareChunk({ planUri: plan.planUri, reference, contractUri, again: 'first' }),
  );
  const manifest = await finish(contract, await lake.deltas.readChunk(prepared.chunk?.uri ?? ''));
  expect(manifest.recordsIn).toBeGreaterThan(gapEvents.length);
  expect(await verify()).toMatchObject({ done: 1, open: 0 });

  // All that there is to know of an event is its newest version; a version that came and went unseen is lost for good.
  const expected = await exported(calm);
  const found = await exported(contract);
  expect([...found.keys()]).toEqual([...expected.keys()]);
  const steady = gapEvents.filter(({ event_id: id }) => versions.get(String(id))?.size === 1);
  expect(steady.length).toBeGreaterThan(5);
  for (const row of steady) expect(found.get(String(row.event_id))).toEqual(row);
  for (const [id, row] of found) {
    const { _first_version: first, ...rest } = expected.get(id) ?? {};
    expect(row).toMatchObject(rest);
    expect(String(row._first_version) >= String(first)).toBe(true);
  }

  // Plan and reconciliation know the gaps as made good, and a second pull has nothing to do.
  expect((await inActivity(() => plans.planBackfill(request))).totals).toMatchObject({
    missingSlots: 0,
    toProcess: { partitions: 0 },
    byState: { gap: { partitions: 0 }, missing: { partitions: 0 } },
  });
  const resources = {
    store: lake.store,
    ledger,
    bronzeBucket: 'cupel-bronze',
    opsBucket: 'cupel-ops',
    quarantineBucket: 'cupel-quarantine',
    publisher: { publish: () => Promise.resolve(0) },
    progress: () => undefined,
  };
  const reconciled = { from: new Date(around.from), to: new Date(around.to) };
  expect(await reconcileBronze(resources, contract, reconciled, 'r')).toMatchObject({
    gaps: 3,
    coveredGaps: 3,
    missingRuns: 0,
  });
});

const log = () => new PullLog(lake.store, 'cupel-ops');
const threeDays = () =>
  windowsOf(feedOf(contract), { from: polls[0]?.generated ?? 0, to: (polls[0]?.generated ?? 0) + 2 * DAY + HOUR });

function feedOf({ feeds }: CompiledContract) {
  const feed = feeds.find(({ kind }) => kind === 'pull');
  if (feed?.kind !== 'pull') throw new Error('expected a pulled feed');
  return feed;
}

/** Runs a job and kills it once a condition holds. */
async function killWhen(chunk: Chunk, condition: () => Promise<boolean>): Promise<void> {
  const killer = new AbortController();
  const job = runKappaJob(lake, chunk, undefined, killer.signal);
  await expect.poll(condition, { timeout: 30_000, interval: 5 }).toBe(true);
  killer.abort();
  expect((await job).code).not.toBe(0);
}

test('a job that is killed while it lands, and again before it parses, asks nothing twice that had landed', async () => {
  usgs.show(polls.at(-1) as Poll);
  const windows = threeDays();
  expect(windows).toHaveLength(3);
  const chunk = toPullChunk(contract, windows, 'killed');
  const landed = (count: number) => async () => {
    const all = await Promise.all(windows.map((window) => log().hasWindow('earthquakes', window, 'killed')));
    return all.filter(Boolean).length === count;
  };
  door.hold(windows[2]?.from ?? '');
  await killWhen(chunk, async () => door.asked().length === 3 && (await landed(2)()));

  door.open();
  await killWhen(chunk, landed(3));
  expect(door.asked()).toEqual([windows[2]?.from]);
  expect(await lake.deltas.readManifest(chunk.table, chunk.batchId)).toBeUndefined();

  door.open();
  const manifest = await finish(contract, chunk);
  expect(door.asked()).toEqual([]);

  // One that nobody disturbed publishes the same numbers, but for the pages of the other run, which it reads too.
  const again = await finish(contract, toPullChunk(contract, windows, 'whole'));
  expect(door.asked()).toHaveLength(3);
  expect(again.batchId).not.toBe(manifest.batchId);
  expect(again.rows).toBe(manifest.rows);
  expect(again.byPartition.map(({ partition }) => partition)).toEqual(
    manifest.byPartition.map(({ partition }) => partition),
  );
});

test('a window that the origin refuses fails alone, with its code, and names itself in the report', async () => {
  usgs.show(polls.at(-1) as Poll);
  const windows = threeDays();
  const chunk = toPullChunk(contract, windows, 'refused');
  door.refuse(windows[1]?.from ?? '', 403);
  const report = 'gs://cupel-ops/chunks/refused.json';
  const { code, stderr } = await runKappaJob(lake, chunk, report);
  expect(code).not.toBe(0);
  expect(stderr).toContain('CUP_PARTITIONS_FAILED');
  const { failed } = JSON.parse((await lake.store.read(report)).toString('utf8')) as FailureReport;
  const partition = `fdsn/${windows[1]?.from.slice(0, 13) ?? ''}`;
  expect(failed).toEqual([{ partition, code: 'CUP_FETCH_REFUSED' }]);

  // The workflow sets it aside; the rest asks nothing again.
  const chunkUri = lake.deltas.chunkUri(chunk.batchId);
  const rest = await inActivity(() => plans.recutChunk({ chunkUri, without: [partition] }));
  door.open();
  const manifest = await finish(contract, await lake.deltas.readChunk(rest?.uri ?? ''));
  expect(door.asked()).toEqual([]);
  expect(manifest.byPartition.map((of) => of.partition)).not.toContain(partition);
  expect(manifest.byPartition).toHaveLength(2);
});
