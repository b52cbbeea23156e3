import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Poll } from '../../local/usgs/polls.ts';
import { startUsgs } from '../../local/usgs/server.ts';
import type { UsgsServer } from '../../local/usgs/server.ts';
import { simulatePolls } from '../../local/usgs/simulator/simulate.ts';

const HOUR = 3_600_000;
const polls = simulatePolls({ days: 2 });
const weekly = polls.find(({ feed }) => feed === 'all_week') as Poll;
const end = polls.at(-1)?.generated ?? 0;

interface Feature {
  id?: string;
  properties: { time: number; updated: number; url: string };
}

interface Collection {
  metadata: Record<string, unknown>;
  features: Feature[];
}

let server: UsgsServer;

beforeAll(async () => {
  server = await startUsgs({ polls });
});
afterAll(() => server.stop());

function setClocks(time: number): void {
  for (const feed of server.feeds) server.setClock(feed, time);
}

const ask = (parameters: Record<string, string>, path = '/fdsnws/event/1/query') =>
  fetch(`${server.url}${path}?${new URLSearchParams({ format: 'geojson', ...parameters }).toString()}`);
const query = async (parameters: Record<string, string>) => (await (await ask(parameters)).json()) as Collection;
const idOf = ({ id, properties }: Feature): string => id ?? properties.url.split('/').at(-1) ?? '';
const featuresOf = async (poll: Poll) => (JSON.parse((await poll.read()).toString('utf8')) as Collection).features;
const iso = (time: number): string => new Date(time).toISOString();

/** What the service should know by then: computed from the polls anew, one event at a time. */
async function newest(now: number): Promise<Map<string, Feature>> {
  const shown = new Map<string, { generated: number; feature: Feature }[]>();
  for (const poll of polls.filter(({ generated }) => generated <= now))
    for (const feature of await featuresOf(poll))
      shown.set(idOf(feature), [...(shown.get(idOf(feature)) ?? []), { generated: poll.generated, feature }]);
  const best = [...shown].map(([id, versions]): [string, Feature] => {
    const sorted = versions.toSorted(
      (a, b) => a.feature.properties.updated - b.feature.properties.updated || a.generated - b.generated,
    );
    return [id, sorted.at(-1)?.feature as Feature];
  });
  return new Map(best);
}

test('the newest version of every event that any poll has shown by now, and nothing of later', async () => {
  for (const now of [end, weekly.generated, polls[10]?.generated ?? 0]) {
    setClocks(now);
    const { features, metadata } = await query({ starttime: iso(0), endtime: iso(now) });
    const expected = await newest(now);
    expect(metadata).toMatchObject({ generated: Math.max(...shownBy(now)), count: expected.size, status: 200 });
    expect(new Map(features.map((feature) => [idOf(feature), feature]))).toEqual(expected);
  }
});

const shownBy = (now: number): number[] =>
  polls.map(({ generated }) => generated).filter((generated) => generated <= now);

test('a range is by the time of the events; the same question at the same time has the same answer', async () => {
  setClocks(end);
  const range = { starttime: iso(end - 5 * HOUR), endtime: iso(end - 2 * HOUR), orderby: 'time-asc' };
  const { features } = await query(range);
  const expected = [...(await newest(end)).values()]
    .map(({ properties: { time } }) => time)
    .filter((time) => time >= end - 5 * HOUR && time <= end - 2 * HOUR);
  expect(features.map(({ properties }) => properties.time)).toEqual(expected.sort((a, b) => a - b));
  expect(features.length).toBeGreaterThan(3);
  expect(await (await ask(range)).text()).toBe(await (await ask(range)).text());
});

test('pages by limit and offset tile the answer; the newest comes first unless the order is said', async () => {
  setClocks(end);
  const range = { starttime: iso(end - 10 * HOUR), endtime: iso(end) };
  const whole = await query(range);
  const first = await query({ ...range, limit: '10' });
  const rest = await query({ ...range, limit: '20000', offset: '11' });
  expect(first.features).toHaveLength(10);
  expect([...first.features, ...rest.features]).toEqual(whole.features);
  expect(rest.metadata).toMatchObject({ limit: 20_000, offset: 11, count: rest.features.length });
  expect((await query({ ...range, orderby: 'time-asc' })).features).toEqual(whole.features.toReversed());
});

test.each([
  ['another format', { format: 'xml' }],
  ['a limit above that of the real site', { limit: '20001' }],
  ['an offset of nothing', { offset: '0' }],
  ['a time that is none', { starttime: 'yesterday' }],
  ['a range that ends before it begins', { starttime: '2025-03-02', endtime: '2025-03-01' }],
  ['an order that is none', { orderby: 'beauty' }],
  ['a parameter that is none', { colour: 'red' }],
])('%s is a bad request', async (_name, parameters: Record<string, string>) => {
  setClocks(end);
  expect((await ask(parameters)).status).toBe(400);
});

test('a range without events is an empty collection; or no content, where that is asked for', async () => {
  setClocks(end);
  const never = { starttime: '1999-01-01', endtime: '1999-01-02T00:00:00' };
  expect((await query(never)).features).toEqual([]);
  expect((await ask({ ...never, nodata: '204' })).status).toBe(204);
  expect((await ask({ ...never, nodata: '404' })).status).toBe(404);
});

test('before any feed shows a poll there is no answer', async () => {
  setClocks(0);
  expect((await ask({})).status).toBe(404);
});
