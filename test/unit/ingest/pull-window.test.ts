import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PullFeed } from '../../../src/contracts/index.ts';
import { evenPace } from '../../../src/ingest/pace.ts';
import { pullWindow, requestUrl } from '../../../src/ingest/pull-window.ts';
import type { PullResources } from '../../../src/ingest/pull-window.ts';
import { PullLog } from '../../../src/lakehouse/pull/index.ts';
import { earthquakes } from '../../support/contracts.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';

const contract = earthquakes((yaml) => yaml.replace('pageSize: 20000', 'pageSize: 3'));
const feed = contract.feeds.find(({ kind }) => kind === 'pull') as PullFeed;
const window = { feed: 'fdsn', from: '2025-01-01T00:00:00.000Z', to: '2025-01-02T00:00:00.000Z' };
const GENERATED = Date.UTC(2025, 0, 3);

let memory: MemoryObjects;
let servers: Server[];
/** Hours of the day, `from-to`, that were asked for. */
let asked: string[];

beforeEach(() => {
  memory = new MemoryObjects();
  servers = [];
  asked = [];
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

type Answer = (range: { from: number; to: number }, response: ServerResponse, request: IncomingMessage) => void;

async function origin(answer: Answer): Promise<PullResources> {
  const server = createServer((request, response) => {
    const given = new URL(request.url ?? '', 'http://origin').searchParams;
    const [from, to] = ['starttime', 'endtime'].map((name) => Date.parse(given.get(name) ?? '')) as [number, number];
    asked.push([from, to].map((at) => (at - Date.parse(window.from)) / 3_600_000).join('-'));
    answer({ from, to }, response, request);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fetch = { endpoints: { 'earthquake.usgs.gov': url }, allowPrivateAddresses: true };
  const log = new PullLog(memory.store, 'ops');
  return { store: memory.store, bronzeBucket: 'bronze', log, fetch, pace: () => Promise.resolve(), firstPauseMs: 1 };
}

const collection = (times: number[], generated = GENERATED): string =>
  JSON.stringify({
    type: 'FeatureCollection',
    metadata: { generated },
    features: times.map((time) => ({ id: `e${time}`, properties: { time, updated: time }, geometry: null })),
  });

/** An origin with events at these hours, which cuts its answers off at the limit. */
const eventsAt = (...hours: number[]): Answer => {
  const times = hours.map((hour) => Date.parse(window.from) + hour * 3_600_000);
  return ({ from, to }, response) =>
    response.end(collection(times.filter((time) => time >= from && time <= to).slice(0, 3)));
};

const pull = (resources: PullResources, run = 'run') => pullWindow(resources, { contract, feed, run }, window);
const inBronze = () => memory.uris.filter((uri) => uri.startsWith('gs://bronze/'));

test('a request names its range, its format and its limit, always in the same order', () => {
  expect(requestUrl(feed, { from: 0, to: 3_600_000 })).toBe(
    'https://earthquake.usgs.gov/fdsnws/event/1/query?format=geojson&orderby=time-asc&starttime=1970-01-01T00%3A00%3A00.000Z&endtime=1970-01-01T01%3A00%3A00.000Z&limit=3',
  );
});

test('an answer below the limit is the whole window; it lands under the hour in which the window begins', async () => {
  const pulled = await pull(await origin(eventsAt(1, 20)));
  expect(asked).toEqual(['0-24']);
  expect(inBronze()).toEqual(pulled.objects.map((name) => `gs://bronze/${name}`));
  expect(pulled.objects[0]).toMatch(/^earthquakes\/fdsn\/dt=2025-01-01\/hr=00\/[0-9a-f]{64}\.geojson$/);
  expect(pulled.carrierOrder).toBe(String(GENERATED * 1000));
});

test('a full answer may be cut off, so its range is asked again in halves until none is full', async () => {
  const pulled = await pull(await origin(eventsAt(1, 2, 3, 14)));
  expect(asked).toEqual(['0-24', '0-12', '0-6', '0-3', '0-1.5', '1.5-3', '3-6', '6-12', '12-24']);
  const texts = inBronze().map((uri) => memory.objects.get(uri)?.bytes.toString() ?? '');
  const seen = texts.flatMap((text) => (JSON.parse(text) as { features: { id: string }[] }).features);
  expect(new Set(seen.map(({ id }) => id)).size).toBe(4);
  expect(pulled.objects).toHaveLength(inBronze().length);
});

test('more records in a second than an answer holds: the window fails, and no end of it is claimed', async () => {
  const resources = await origin(eventsAt(1, 1, 1, 1));
  await expect(pull(resources)).rejects.toMatchObject({ code: 'CUP_PULL_WINDOW_FULL' });
  expect(await resources.log.hasWindow('earthquakes', window, 'run')).toBe(false);
});

test('what has landed for a run is not asked again, whatever the origin would say now; another run asks anew', async () => {
  let fails = 0;
  const resources = await origin((range, response, request) => {
    if (range.from > Date.parse(window.from) && fails++ < 1) response.writeHead(400).end();
    else eventsAt(1, 2, 3, 14)(range, response, request);
  });
  await expect(pull(resources)).rejects.toMatchObject({ code: 'CUP_FETCH_REFUSED' });
  const before = asked.splice(0);
  await pull(resources);
  expect(before.slice(0, -1).filter((range) => asked.includes(range))).toEqual([]);
  expect(asked[0]).toBe(before.at(-1));
  asked = [];
  await pull(resources, 'another');
  expect(asked[0]).toBe('0-24');
});

test('an answer that nobody can read lands all the same, and is asked for again', async () => {
  let answers = 0;
  const resources = await origin((_, response) =>
    response.end(++answers < 3 ? `<p>busy ${answers}</p>` : collection([])),
  );
  const pulled = await pull(resources);
  expect(asked).toHaveLength(3);
  expect(inBronze()).toHaveLength(3);
  expect(pulled.objects).toHaveLength(1);
});

test('an origin that stays unreadable, or down, fails the window with its own code', async () => {
  await expect(pull(await origin((_, response) => response.end('<p>')))).rejects.toMatchObject({
    code: 'CUP_OBJECT_UNREADABLE',
  });
  expect(asked).toHaveLength(7);
  await expect(pull(await origin((_, response) => response.writeHead(503).end()))).rejects.toMatchObject({
    code: 'CUP_FETCH_FAILED',
  });
});

test('no content is an answer: nothing lands, and the window is whole as of the date of the answer', async () => {
  const date = new Date(GENERATED).toUTCString();
  const pulled = await pull(await origin((_, response) => response.writeHead(204, { date }).end()));
  expect(pulled).toMatchObject({ objects: [], carrierOrder: String(GENERATED * 1000) });
  expect(inBronze()).toEqual([]);
});

test('an origin that asks to be left alone is left alone for so long, but not for ever', async () => {
  let answers = 0;
  const busy = await origin((_, response) => {
    if (++answers === 1) response.writeHead(429, { 'retry-after': '1' }).end();
    else response.end(collection([]));
  });
  const before = performance.now();
  await pull(busy);
  expect(performance.now() - before).toBeGreaterThanOrEqual(990);
  const closed = await origin((_, response) => response.writeHead(503, { 'retry-after': '86400' }).end());
  asked = [];
  await expect(pull(closed, 'closed')).rejects.toMatchObject({ code: 'CUP_FETCH_FAILED' });
  expect(asked).toHaveLength(1);
});

test('requests begin evenly, at most so many in a minute', async () => {
  const pace = evenPace(1200);
  const before = performance.now();
  for (let request = 0; request < 5; request += 1) await pace();
  expect(performance.now() - before).toBeGreaterThanOrEqual(4 * 50 - 2);
});
