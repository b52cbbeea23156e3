import { BigQuery } from '@google-cloud/bigquery';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBigQuery } from '../../local/bigquery/start.ts';
import type { Poll } from '../../local/usgs/polls.ts';
import { startUsgs } from '../../local/usgs/server.ts';
import type { UsgsServer } from '../../local/usgs/server.ts';
import { simulatePolls } from '../../local/usgs/simulator/simulate.ts';
import { functionActivities } from '../../src/activities/functions.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { pollFeed } from '../../src/ingest/poll.ts';
import type { PollRequest, PollResult } from '../../src/ingest/poll.ts';
import { hourOf, listBronze, partitionsOf } from '../../src/lakehouse/bronze/index.ts';
import { Ledger, ledgerEvent } from '../../src/lakehouse/ledger/index.ts';
import { makePlan } from '../../src/lakehouse/planning/plan.ts';
import { reconcileBronze } from '../../src/lakehouse/upkeep/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';

// A poll server that was down for three hours. Its schedule ticks run late, all at once, when it is back; the feeds answer what
// they hold then. Feeds, storage and ledger are real servers; the poll function is called without its HTTP.

const HOUR = 3_600_000;
const contract = earthquakes();
const polls = simulatePolls({ days: 2, seed: 4 });
const of = (feed: string): Poll[] => polls.filter((poll) => poll.feed === feed);

interface Outage {
  before: Poll;
  /** The answers of the three hours, which nobody asked for in time. */
  lost: Poll[];
  /** The first answer when the server is back. */
  after: Poll;
  next: Poll;
}

/** Six polls of consecutive hours. */
function outage(): Outage {
  const hourly = of('all_hour');
  const slot = (poll: Poll | undefined): number => Math.floor((poll?.generated ?? 0) / HOUR);
  for (let at = 0; at + 5 < hourly.length; at += 1) {
    const [before, ...rest] = hourly.slice(at, at + 6) as [Poll, Poll, Poll, Poll, Poll, Poll];
    const [, , , after, next] = rest;
    if (after && next && slot(next) - slot(before) === 5) return { before, lost: rest.slice(0, 3), after, next };
  }
  throw new Error('expected six hours in a row in the simulation');
}

let lake: Lake;
let usgs: UsgsServer;
let bigquery: { url: string; stop(): Promise<void> };
let ledger: Ledger;
let activities: ReturnType<typeof functionActivities>;

beforeAll(async () => {
  lake = await startLake();
  usgs = await startUsgs({ polls });
  const catalog = { name: 'cupel', uri: lake.catalogUrl, warehouse: 'gs://cupel-silver' };
  const folders = { logDirectory: lake.directory, storageRoot: lake.storageRoot };
  bigquery = await startBigQuery({ projectId: 'cupel-test', ...folders, store: lake.store, catalog });
  ledger = new Ledger(new BigQuery({ projectId: 'cupel-test', apiEndpoint: bigquery.url }));
  await ledger.ensure();
  const fetch = { endpoints: { 'earthquake.usgs.gov': usgs.url }, allowPrivateAddresses: true };
  const names = { bronzeBucket: 'cupel-bronze', opsBucket: 'cupel-ops' };
  const publisher = {
    publish: (_: unknown, __: string, { records }: { records: unknown[] }) => Promise.resolve(records.length),
  };
  const callPoll = async (body: unknown) => ({
    status: 200,
    body: await pollFeed({ store: lake.store, ...names, publisher, fetch }, contract, body as PollRequest),
  });
  const environment = readEnvironment({ CUPEL_PROJECT: 'cupel-test', CUPEL_OPS_BUCKET: 'cupel-ops' });
  activities = functionActivities({ store: lake.store, environment, callPoll, ledger } as unknown as ActivityResources);
});
afterAll(async () => {
  await Promise.all([usgs.stop(), bigquery.stop()]);
  await lake.stop();
});

/** What the workflow `ingest` does: the poll, and a gap in the ledger where it came too late. */
async function ingest(feed: string, nominal: number): Promise<PollResult> {
  const nominalTime = new Date(nominal).toISOString();
  const context = new MockActivityEnvironment();
  const poll = { source: 'earthquakes', feed, nominalTime };
  const result = (await context.run(activities.pollFeed, poll)) as PollResult;
  if (result.state === 'gap') await context.run(activities.recordGap, { ...poll, object: result.object });
  return result;
}

const hour = (time: number): string => hourOf(new Date(time));
const hourIn = (object: string): string => object.replace(/^.*dt=(.*)\/hr=(\d\d)\/.*$/, '$1T$2');

async function eventIds(poll: Poll): Promise<string[]> {
  const answer = JSON.parse((await poll.read()).toString('utf8')) as { features: { id: string }[] };
  return answer.features.map(({ id }) => id);
}

test('a server that was down for three hours: what holds its hour lands there, the rest is a gap that stays one', async () => {
  const { before, lost, after, next } = outage();
  const range = { from: new Date(before.generated - HOUR), to: new Date(next.generated + 7 * HOUR) };
  const plan = () =>
    makePlan({ store: lake.store, ledger }, { bronze: 'cupel-bronze', ops: 'cupel-ops' }, contract, {
      range,
      reprocess: 'stale',
      order: 'oldest',
      chunkBytes: 1 << 28,
    });

  usgs.show(before);
  expect(await ingest('all_hour', before.generated)).toMatchObject({ state: 'landed' });

  // Back again: the ticks of the missed hours and of this one, each under its own nominal time, get one and the same answer.
  usgs.show(after);
  const late: PollResult[] = [];
  for (const { generated } of lost) late.push(await ingest('all_hour', generated));
  const punctual = await ingest('all_hour', after.generated);
  expect(late.map(({ state }) => state)).toEqual(['gap', 'gap', 'gap']);
  expect(punctual.state).toBe('landed');
  // Beyond coverage − interval it lands under the hour of its own order: four polls, one object.
  expect(new Set([...late, punctual].map(({ object }) => object)).size).toBe(1);
  expect(hourIn(punctual.object)).toBe(hour(after.generated));

  // The wide feed reaches back far enough: its late answer holds its nominal hour.
  const wide = of('all_day').find(({ generated }) => generated >= after.generated) as Poll;
  usgs.show(wide);
  const nominal = wide.generated - 3 * HOUR;
  const landed = await ingest('all_day', nominal);
  expect(landed.state).toBe('landed');
  expect(hourIn(landed.object)).toBe(hour(nominal));
  expect(hourIn(landed.object)).not.toBe(hour(wide.generated));

  // Everything is processed; the hours of the gap are not done for all that, and the plan says so.
  usgs.show(next);
  await ingest('all_hour', next.generated);
  const partitions = partitionsOf(contract, await listBronze(lake.store, 'cupel-bronze', contract, range));
  await ledger.append(
    partitions.map(({ partition, fingerprint }) =>
      ledgerEvent('partition', 'earthquakes', partition, 'done', fingerprint, {
        contractHash: contract.hash,
        rulesVersion: contract.rulesVersion,
      }),
    ),
  );
  const { lines, index } = await plan();
  const lostHours = lost.map(({ generated }) => `all_hour/${hour(generated)}`);
  const hole = lines.find(({ partition }) => partition === lostHours[0]);
  expect(hole).toMatchObject({ state: 'gap', objects: 0 });
  expect(hole?.why).toContain(punctual.object);
  const done = lines.filter(({ state }) => state === 'done').map(({ partition }) => partition);
  expect(done.filter((partition) => lostHours.includes(partition))).toEqual([]);
  expect(done).toContain(`all_hour/${hour(after.generated)}`);
  expect(index.totals.missingSlots).toBe(3);
  expect(index.chunks).toEqual([]); // a gap is nothing that a replay could process

  // No row is lost: the wide answer shows what the lost ones did.
  const covered = new Set(await eventIds(wide));
  const inLost = (await Promise.all(lost.map(eventIds))).flat();
  expect(inLost.length).toBeGreaterThan(0);
  expect(inLost.filter((id) => !covered.has(id))).toEqual([]);

  // Reconciliation tells the same: three gaps, reached over by the wide answer, and none taken back.
  const resources = {
    store: lake.store,
    ledger,
    bronzeBucket: 'cupel-bronze',
    opsBucket: 'cupel-ops',
    quarantineBucket: 'cupel-quarantine',
    publisher: { publish: () => Promise.reject(new Error('everything is published already')) },
    progress: () => undefined,
  };
  const found = await reconcileBronze(resources, contract, range, 'run');
  expect(found).toMatchObject({ republished: 0, gaps: 3, coveredGaps: 3, found: 0 });
  expect(found.registered).toBe(found.objects);
  expect((await ledger.latest('earthquakes', ['gap'])).map(({ state }) => state)).toEqual(['gap', 'gap', 'gap']);

  // A late answer that landed in an hour which was done makes it stale: the lookback of the next run takes it again.
  const later = of('all_day').find(({ generated }) => generated > wide.generated) as Poll;
  usgs.show(later);
  expect((await ingest('all_day', nominal)).state).toBe('landed');
  const again = await plan();
  expect(again.lines.find(({ partition }) => partition === `all_day/${hour(nominal)}`)).toMatchObject({
    state: 'stale',
    why: 'objects',
    objects: 2,
  });
  expect(again.index.chunks).toHaveLength(1);
});

test('the boundary is coverage − interval to the millisecond, judged by the answer and not by our clock', async () => {
  const poll = of('all_day')[0] as Poll;
  usgs.show(poll);
  const allowed = 18 * HOUR; // a day of coverage, every six hours
  const last = await ingest('all_day', poll.generated - allowed);
  expect(last.state).toBe('landed');
  expect(hourIn(last.object)).toBe(hour(poll.generated - allowed));
  const beyond = await ingest('all_day', poll.generated - allowed - 1);
  expect(beyond.state).toBe('gap');
  expect(hourIn(beyond.object)).toBe(hour(poll.generated));
});
