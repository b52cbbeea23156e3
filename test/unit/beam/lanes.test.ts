import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inLanes } from '../../../beam/sources/lanes.ts';
import type { ChunkObject } from '../../../src/lakehouse/deltas/index.ts';

const MEGABYTE = 1 << 20;

const object = (hour: number, bytes: number, name = `o${hour}`): ChunkObject => ({
  name,
  generation: '1',
  bytes,
  partition: `all_hour/2025-05-04T${String(hour).padStart(2, '0')}`,
});

test('every object is listed once, whatever there is', () => {
  const objects = fc.array(fc.tuple(fc.nat(23), fc.nat(8 * MEGABYTE)), { maxLength: 40 });
  fc.assert(
    fc.property(objects, (given) => {
      const listed = given.map(([hour, bytes], at) => object(hour, bytes, `o${at}`));
      const lanes = inLanes(listed);
      expect(lanes.map(({ place: _, ...of }) => of)).toEqual(expect.arrayContaining(listed));
      expect(lanes).toHaveLength(listed.length);
      for (const { place } of lanes) expect(place >= 0 && place < 1).toBe(true);
    }),
  );
});

test('little is worth one thread', () => {
  const places = inLanes(Array.from({ length: 20 }, (_, hour) => object(hour, 1_000))).map(({ place }) => place);
  expect(new Set(places)).toEqual(new Set([0]));
});

test('neighbouring hours lie together, lanes hold about as much, and each has something to do at once', () => {
  const listed = inLanes(Array.from({ length: 24 }, (_, at) => object((at * 7) % 24, MEGABYTE)));
  const lanes = Map.groupBy(listed, ({ place }) => place);
  expect([...lanes.keys()].sort()).toEqual([0, 0.25, 0.5, 0.75]);
  for (const members of lanes.values()) {
    const hours = members.map(({ partition }) => Number(partition.slice(-2)));
    expect(hours).toEqual(Array.from({ length: 6 }, (_, at) => (hours[0] ?? 0) + at));
  }
  expect(new Set(listed.slice(0, 4).map(({ place }) => place)).size).toBe(4);
});
