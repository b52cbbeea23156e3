import { beforeAll, describe, expect, test } from 'vitest';
import type { Poll } from '../../../local/usgs/polls.ts';
import { simulatePolls } from '../../../local/usgs/simulator/simulate.ts';
import { normaliser, unpackObject } from '../../../src/contracts/index.ts';
import { earthquakes } from '../../support/contracts.ts';

const HOUR = 3_600_000;

interface Feature {
  type: string;
  id?: string;
  properties: Record<string, string | number | null>;
  geometry: { type: string; coordinates: [number, number, number] };
}

interface Answer {
  type: string;
  metadata: Record<string, string | number>;
  features: Feature[];
  bbox?: number[];
}

/** One feature in one poll. */
interface Sighting {
  feed: string;
  generated: number;
  id: string;
  time: number;
  updated: number;
  feature: Feature;
}

const FULL = [
  ...[
    'mag',
    'place',
    'time',
    'updated',
    'tz',
    'url',
    'detail',
    'felt',
    'cdi',
    'mmi',
    'alert',
    'status',
    'tsunami',
    'sig',
    'net',
    'code',
  ],
  ...['ids', 'sources', 'types', 'nst', 'dmin', 'rms', 'gap', 'magType', 'type', 'title'],
];
const REDUCED = ['mag', 'place', 'time', 'updated', 'url', 'detail', 'title'];

const polls = simulatePolls();
let answers: { poll: Poll; answer: Answer }[] = [];
let sightings: Sighting[] = [];
let features: Feature[] = [];
let byEvent = new Map<string, Sighting[]>();

const isFull = (feature: Feature): boolean => feature.id !== undefined;
const idOf = (feature: Feature): string => feature.id ?? String(feature.properties.url).split('/').at(-1) ?? '';

beforeAll(async () => {
  answers = await Promise.all(
    polls.map(async (poll) => ({ poll, answer: JSON.parse((await poll.read()).toString()) as Answer })),
  );
  sightings = answers.flatMap(({ poll: { feed, generated }, answer }) =>
    answer.features.map((feature) => {
      const { time, updated } = feature.properties;
      return { feed, generated, id: idOf(feature), time: Number(time), updated: Number(updated), feature };
    }),
  );
  features = sightings.map(({ feature }) => feature);
  byEvent = Map.groupBy(sightings, ({ id }) => id);
});

async function bytesOf(from: Poll[]): Promise<string> {
  return Buffer.concat(await Promise.all(from.map((poll) => poll.read()))).toString('base64');
}

/** Values of a property over the features that have it. */
const values = (name: string): unknown[] =>
  features.filter(({ properties }) => name in properties).map(({ properties }) => properties[name]);

/** Whether an event's full features ever show different values of a property under different versions. */
function everRevised(name: string): boolean {
  return [...byEvent.values()].some((all) => {
    const full = all.filter(({ feature }) => isFull(feature));
    return (
      new Set(full.map(({ updated }) => updated)).size > 1 &&
      new Set(full.map(({ feature }) => feature.properties[name])).size > 1
    );
  });
}

describe('determinism', () => {
  test('the same seed makes the same bytes, read in any order and twice', async () => {
    const again = simulatePolls({ seed: 1 });
    const backwards = await bytesOf(again.toReversed());
    expect(await bytesOf(again)).toBe(await bytesOf(polls));
    expect(await bytesOf(simulatePolls().toReversed())).toBe(backwards);
  });

  test('another seed makes other bytes', async () => {
    expect(await bytesOf(simulatePolls({ seed: 2, days: 1 }))).not.toBe(
      await bytesOf(simulatePolls({ seed: 1, days: 1 })),
    );
  });

  test('start and days move and bound the polls', () => {
    const start = new Date('2024-02-28T00:00:00Z');
    const times = simulatePolls({ start, days: 2 }).map(({ generated }) => generated - start.getTime());
    expect(Math.min(...times)).toBeGreaterThan(0);
    expect(Math.max(...times)).toBeLessThan(49 * HOUR);
  });
});

describe('the shape of the feed', () => {
  test('about 250 polls in ten days: hourly, each six hours, one week', () => {
    const counts = Object.fromEntries(
      [...Map.groupBy(polls, ({ feed }) => feed)].map(([feed, own]) => [feed, own.length]),
    );
    expect(polls.length).toBeGreaterThan(230);
    expect(polls.length).toBeLessThan(270);
    expect(counts).toEqual({ all_hour: expect.any(Number), all_day: expect.any(Number), all_week: 1 });
    expect(counts.all_hour).toBeGreaterThan(190);
    expect(counts.all_day).toBeGreaterThan(34);
  });

  test('polls come in order, and no feed has two of one time', () => {
    expect(polls.map(({ generated }) => generated)).toEqual(
      polls.map(({ generated }) => generated).sort((a, b) => a - b),
    );
    expect(new Set(polls.map(({ feed, generated }) => `${feed} ${generated}`)).size).toBe(polls.length);
  });

  test('metadata is that of the feed, and says that it is simulated', () => {
    for (const { poll, answer } of answers) {
      expect(answer.metadata).toEqual({
        generated: poll.generated,
        url: `https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/${poll.feed}.geojson`,
        title: expect.stringMatching(/^USGS All Earthquakes, Past (Hour|Day|Week) \(simulated\)$/),
        status: 200,
        api: '1.14.1',
        count: answer.features.length,
      });
      expect(Object.keys(answer.metadata)).toEqual(['generated', 'url', 'title', 'status', 'api', 'count']);
      expect(poll.generated % 1000).toBe(0);
    }
  });

  test('a full feature has the 26 properties in their order, and an id', () => {
    const full = features.filter((feature) => isFull(feature) && 'title' in feature.properties);
    expect(full.length).toBeGreaterThan(1000);
    for (const feature of full) {
      expect(Object.keys(feature)).toEqual(['type', 'properties', 'geometry', 'id']);
      expect(Object.keys(feature.properties)).toEqual(FULL);
    }
  });

  test('the box holds every feature', () => {
    for (const { answer } of answers.filter(({ answer }) => answer.bbox)) {
      const depths = answer.features.map(({ geometry }) => geometry.coordinates[2]);
      expect([answer.bbox?.[2], answer.bbox?.[5]]).toEqual([Math.min(...depths), Math.max(...depths)]);
    }
  });

  test('a feed holds its window only, the newest event first', () => {
    const window: Record<string, number> = { all_hour: HOUR, all_day: 24 * HOUR, all_week: 168 * HOUR };
    for (const { feed, generated, time } of sightings) {
      expect(time).toBeLessThanOrEqual(generated);
      expect(time).toBeGreaterThan(generated - (window[feed] ?? 0));
    }
    for (const { answer } of answers) {
      const times = answer.features.map(({ properties }) => Number(properties.time));
      expect(times).toEqual(times.toSorted((a, b) => b - a));
    }
  });

  test('titles and places are made up, and titles say so', () => {
    for (const title of values('title')) expect(title).toMatch(/\(simulated\)$/);
    for (const place of values('place'))
      expect(place).toMatch(/ of (Simulated Ridge|Made-up Bay|Test Valley|Seeded Springs|Nowhere Point)$/);
  });
});

describe('every fault of the real polls', () => {
  test.each(['mag', 'status', 'felt'])('revisions change %s', (name) => {
    expect(everRevised(name)).toBe(true);
  });

  test('an older version in a later poll of the same feed', () => {
    const older = [...byEvent.values()].filter((all) =>
      all.some((early) =>
        all.some(
          (late) => late.feed === early.feed && late.generated > early.generated && late.updated < early.updated,
        ),
      ),
    );
    expect(older.length).toBeGreaterThan(5);
  });

  test('two contents that claim the same version, before the break and after it', () => {
    const tied = (full: boolean): number => {
      const own = sightings.filter(({ feature }) => isFull(feature) === full);
      const contents = Map.groupBy(own, ({ id, updated }) => `${id} ${updated}`).values();
      return [...contents].filter((all) => new Set(all.map(({ feature }) => JSON.stringify(feature))).size > 1).length;
    };
    expect(tied(true)).toBeGreaterThan(5);
    expect(tied(false)).toBeGreaterThan(5);
  });

  test('late events: first seen more than eighteen hours after they happened, though polls looked in between', () => {
    const delays = [...byEvent.values()].map(
      (all) => Math.min(...all.map(({ generated }) => generated)) - (all[0]?.time ?? 0),
    );
    const first = polls[0]?.generated ?? 0;
    const late = [...byEvent.values()].filter(
      (all, index) => (all[0]?.time ?? 0) > first && (delays[index] ?? 0) > 18 * HOUR,
    );
    expect(late.length).toBeGreaterThan(5);
  });

  test('events that no hourly poll ever shows', () => {
    const missing = [...byEvent.values()].filter((all) => all.every(({ feed }) => feed !== 'all_hour'));
    const first = polls[0]?.generated ?? 0;
    expect(missing.filter((all) => (all[0]?.time ?? 0) > first).length).toBeGreaterThan(5);
  });

  test('a schema break in the middle, in all feeds at once: most properties, the id and the box are gone', () => {
    const kinds = answers
      .filter(({ answer }) => answer.features.length)
      .map(({ answer }) => answer.features.every(isFull));
    const at = kinds.indexOf(false);
    expect(at).toBeGreaterThan(50);
    expect(kinds.length - at).toBeGreaterThan(50);
    expect(kinds.slice(at)).not.toContain(true);
    for (const { answer } of answers.slice(answers.length - 50)) {
      expect(Object.keys(answer)).toEqual(['type', 'metadata', 'features']);
      for (const feature of answer.features) {
        expect(Object.keys(feature)).toEqual(['type', 'properties', 'geometry']);
        expect(Object.keys(feature.properties).filter((name) => name !== 'title')).toEqual(REDUCED.slice(0, -1));
      }
    }
  });

  test('a null magnitude became 0 at the break, never null after it', () => {
    const nulls = new Set(sightings.filter(({ feature }) => feature.properties.mag === null).map(({ id }) => id));
    const after = sightings.filter(({ feature }) => !isFull(feature));
    expect(after.filter(({ id, feature }) => nulls.has(id) && feature.properties.mag === 0).length).toBeGreaterThan(0);
    expect(after.filter(({ feature }) => feature.properties.mag === null)).toEqual([]);
  });

  test.each(['mag', 'gap', 'nst', 'dmin', 'felt', 'tsunami', 'tz'])('%s is null here and a number there', (name) => {
    expect(values(name)).toContain(null);
    expect(values(name).some((value) => typeof value === 'number')).toBe(true);
  });

  test('tsunami 0 and 1', () => {
    expect(new Set(values('tsunami'))).toEqual(new Set([0, 1, null]));
  });

  test('a status in capitals and one in small letters', () => {
    expect(new Set(values('status'))).toEqual(new Set(['automatic', 'AUTOMATIC', 'reviewed', 'REVIEWED']));
  });

  test('a missing title, before the break and after it', () => {
    const untitled = features.filter(({ properties }) => !('title' in properties));
    expect(new Set(untitled.map(isFull))).toEqual(new Set([true, false]));
  });

  test('types other than earthquake', () => {
    expect(new Set(values('type'))).toEqual(
      new Set(['earthquake', 'quarry', 'quarry blast', 'explosion', 'ice quake']),
    );
  });

  test('negative depths and magnitudes', () => {
    expect(features.some(({ geometry }) => geometry.coordinates[2] < 0)).toBe(true);
    expect(values('mag').some((mag) => Number(mag) < 0)).toBe(true);
  });

  test.each(['mag', 'gap', 'dmin'])('%s is an int here and a float there', (name) => {
    const numbers = values(name).filter((value) => typeof value === 'number');
    expect(new Set(numbers.map(Number.isInteger))).toEqual(new Set([true, false]));
  });

  test('depth is an int here and a float there', () => {
    expect(new Set(features.map(({ geometry }) => Number.isInteger(geometry.coordinates[2])))).toEqual(
      new Set([true, false]),
    );
  });
});

test('every simulated record passes the contract: none refused', async () => {
  const contract = earthquakes();
  const normalise = normaliser(contract);
  const refused: unknown[] = [];
  let rows = 0;
  for (const poll of polls) {
    const bronzeObject = `${poll.feed}/${poll.generated}`;
    const unpacked = await unpackObject(contract, await poll.read(), bronzeObject);
    expect(unpacked.carrierOrder).toBe(BigInt(poll.generated) * 1000n);
    for (const record of unpacked.records) {
      const result = normalise(record, { carrierOrder: unpacked.carrierOrder, bronzeObject });
      if ('reject' in result) refused.push([bronzeObject, record.offset, result.reject]);
      else rows++;
    }
  }
  expect(refused).toEqual([]);
  expect(rows).toBe(sightings.length);
});
