import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { feedOfUrl, findPolls } from '../../../local/usgs/polls.ts';
import { hasRealPolls, REAL_DATA, realPolls } from '../../support/real-polls.ts';

const SUMMARY = 'https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cupel-polls-'));
});

afterEach(() => rm(folder, { recursive: true }));

const poll = (metadata: unknown): string => JSON.stringify({ type: 'FeatureCollection', metadata, features: [] });

async function put(name: string, bytes: string | Buffer): Promise<string> {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, bytes);
  return file;
}

const putPoll = (name: string, metadata: unknown): Promise<string> => put(name, gzipSync(poll(metadata)));

test('finds polls anywhere below, by their own metadata and not by their name, sorted by time then feed', async () => {
  await putPoll('z/deep/er/all_hour.geojson.gz', { url: `${SUMMARY}/all_hour.geojson`, generated: 2000 });
  await putPoll('a.geojson.gz', {
    url: `http://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/2.5_week.geojson`,
    generated: 3000,
  });
  await putPoll('b/misnamed_all_day.geojson.gz', { url: `${SUMMARY}/all_week.geojson`, generated: 2000 });
  await putPoll('b/c.geojson.gz', { url: `${SUMMARY}/all_day.geojson`, generated: 1000 });
  await put('b/notes.txt', 'no poll');
  await put('b/plain.geojson', poll({}));
  const polls = await findPolls(folder);
  expect(polls.map(({ feed, generated }) => [feed, generated])).toEqual([
    ['all_day', 1000],
    ['all_hour', 2000],
    ['all_week', 2000],
    ['2.5_week', 3000],
  ]);
});

test('reads the bytes as they were before compression, when asked', async () => {
  const text = `${poll({ url: `${SUMMARY}/all_day.geojson`, generated: 5 })}\n `;
  await put('a.geojson.gz', gzipSync(text));
  const [only] = await findPolls(folder);
  expect((await only?.read())?.toString()).toBe(text);
});

test('an empty folder has no polls', async () => {
  expect(await findPolls(folder)).toEqual([]);
});

test('a folder that is not there is named', async () => {
  await expect(findPolls(path.join(folder, 'nowhere'))).rejects.toThrow(
    'nowhere: expected a folder of *.geojson.gz polls',
  );
});

const whole = gzipSync(poll({ url: `${SUMMARY}/all_day.geojson`, generated: 5 }));

test.each([
  ['is no gzip', 'plain text', 'expected a readable gzip file'],
  ['is cut short', whole.subarray(0, -10), 'expected a readable gzip file'],
  ['is no JSON', gzipSync('{"metadata":'), 'expected a poll in JSON'],
  ['is null', gzipSync('null'), 'expected metadata.url'],
  ['has no metadata', gzipSync('{"features":[]}'), 'expected metadata.url'],
  ['has no url', gzipSync(poll({ generated: 5 })), 'expected metadata.url'],
  ['has another url', gzipSync(poll({ url: 'https://example.org/', generated: 5 })), 'expected metadata.url'],
  ['has no time', gzipSync(poll({ url: `${SUMMARY}/all_day.geojson` })), 'metadata.generated in milliseconds'],
  [
    'has a time in text',
    gzipSync(poll({ url: `${SUMMARY}/all_day.geojson`, generated: '5' })),
    'metadata.generated in milliseconds',
  ],
])('a file that %s is named, with what was expected', async (_what, bytes, expected) => {
  const file = await put('sub/bad.geojson.gz', bytes);
  const error = await findPolls(folder).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).message).toContain(file);
  expect((error as Error).message).toContain(expected);
});

test('a file that is gone when it is read is named', async () => {
  const file = await putPoll('a.geojson.gz', { url: `${SUMMARY}/all_day.geojson`, generated: 5 });
  const [only] = await findPolls(folder);
  await rm(file);
  await expect(only?.read()).rejects.toThrow(`${file}: expected a readable gzip file`);
});

test('the feed is the last segment of the url', () => {
  expect(feedOfUrl(`${SUMMARY}/4.5_month.geojson`)).toBe('4.5_month');
  expect(feedOfUrl(`${SUMMARY}/all_day.geojson?x=1#y`)).toBe('all_day');
  expect(feedOfUrl(`${SUMMARY}/all_day.csv`)).toBeUndefined();
  expect(feedOfUrl(undefined)).toBeUndefined();
});

describe.skipIf(!hasRealPolls)(`recorded polls of ${REAL_DATA}`, () => {
  test('every file is indexed', async () => {
    const real = realPolls();
    const polls = await findPolls(path.join(REAL_DATA, 'usgs'));
    expect(polls).toHaveLength(real.length);
    for (const { feed, generated } of polls) {
      expect(feed).toMatch(/^(all|significant|\d\.\d)_(hour|day|week|month)$/);
      expect(generated).toBeGreaterThan(Date.UTC(2010));
    }
  });

  test('each file, drift of twelve years included, gives its own feed and time', async () => {
    const expected = realPolls().map(
      ({ bytes }) =>
        (JSON.parse(Buffer.from(bytes).toString()) as { metadata: { url: string; generated: number } }).metadata,
    );
    const polls = await findPolls(path.join(REAL_DATA, 'usgs'));
    const key = (feed: string | undefined, generated: number): string => `${feed} ${generated}`;
    expect(polls.map(({ feed, generated }) => key(feed, generated)).sort()).toEqual(
      expected.map(({ url, generated }) => key(url.split('/').at(-1)?.replace('.geojson', ''), generated)).sort(),
    );
  });
});
