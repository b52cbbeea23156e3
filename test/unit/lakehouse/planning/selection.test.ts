import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Partition } from '../../../../src/lakehouse/bronze/index.ts';
import type { PartitionState, PlannedPartition } from '../../../../src/lakehouse/planning/partition-states.ts';
import { cutChunks, selectPartitions } from '../../../../src/lakehouse/planning/selection.ts';
import type { Reprocess } from '../../../../src/lakehouse/planning/selection.ts';

const STATES: PartitionState[] = ['missing', 'failed', 'gap', 'stale', 'done'];
const CHAIN: Reprocess[] = ['missing', 'failed', 'stale', 'all'];

interface Listed {
  feed: string;
  hour: number;
  state: PartitionState;
  bytes: number;
  objects: number;
}

const listed = fc.record<Listed>({
  feed: fc.constantFrom('all_day', 'all_hour', 'b/with/slashes'),
  hour: fc.integer({ min: 0, max: 60 }),
  state: fc.constantFrom(...STATES),
  bytes: fc.integer({ min: 0, max: 50 }),
  objects: fc.integer({ min: 1, max: 6 }),
});
const listing = fc.uniqueArray(listed, { maxLength: 40, selector: ({ feed, hour }) => `${feed} ${hour}` });

const nameOf = ({ feed, hour }: Listed) =>
  `${feed}/${new Date(Date.UTC(2025, 0, 30, hour)).toISOString().slice(0, 13)}`;

function toPartition(of: Listed): Partition {
  const partition = nameOf(of);
  const object = { name: partition, generation: '1', bytes: 0, partition };
  return { partition, fingerprint: '', bytes: of.bytes, objects: Array.from({ length: of.objects }, () => object) };
}

const toState = (of: Listed): PlannedPartition => ({
  partition: nameOf(of),
  state: of.state,
  why: '',
  objects: of.objects,
  bytes: of.bytes,
  rows: null,
  fingerprint: '',
});

function select(all: Listed[], reprocess: Reprocess, order: 'oldest' | 'newest' = 'oldest'): string[] {
  return selectPartitions(all.map(toState), all.map(toPartition), reprocess, order).map(({ partition }) => partition);
}

test('each word takes what the one before takes, and just one state more; all takes everything', () => {
  const added: Record<Reprocess, PartitionState[]> = {
    missing: ['missing'],
    failed: ['failed'],
    stale: ['stale'],
    all: ['gap', 'done'],
  };
  fc.assert(
    fc.property(listing, (all) => {
      let before = new Set<string>();
      for (const reprocess of CHAIN) {
        const taken = new Set(select(all, reprocess));
        expect(before.isSubsetOf(taken)).toBe(true);
        const more = all.filter((of) => taken.has(nameOf(of)) && !before.has(nameOf(of)));
        expect(more).toEqual(all.filter(({ state }) => added[reprocess].includes(state)));
        before = taken;
      }
      expect(before.size).toBe(all.length);
    }),
  );
});

test('oldest goes by hour across feeds, newest is its reverse, and the listing does not matter', () => {
  fc.assert(
    fc.property(
      listing.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([all, shuffled]) => {
        const oldest = select(all, 'all');
        const hours = oldest.map((partition) => partition.slice(-13));
        expect(hours).toEqual(hours.toSorted());
        expect(select(shuffled, 'all')).toEqual(oldest);
        expect(select(shuffled, 'all', 'newest')).toEqual(oldest.toReversed());
      },
    ),
  );
});

test('a state without objects is never processed: there is nothing to read', () => {
  const slot = { ...toState({ feed: 'f', hour: 1, state: 'missing', bytes: 0, objects: 1 }), objects: 0 };
  expect(selectPartitions([slot], [], 'all', 'oldest')).toEqual([]);
});

test('chunks hold every partition once, in order, within both caps unless one partition alone is more', () => {
  fc.assert(
    fc.property(
      listing,
      fc.integer({ min: 1, max: 120 }),
      fc.integer({ min: 1, max: 12 }),
      (all, maxBytes, maxObjects) => {
        const partitions = all.map(toPartition);
        const chunks = cutChunks(partitions, maxBytes, maxObjects);
        expect(chunks.flat()).toEqual(partitions);
        const bytesOf = (of: Partition[]) => of.reduce((sum, { bytes }) => sum + bytes, 0);
        const objectsOf = (of: Partition[]) => of.reduce((sum, { objects }) => sum + objects.length, 0);
        const fits = (of: Partition[]) => bytesOf(of) <= maxBytes && objectsOf(of) <= maxObjects;
        for (const [index, chunk] of chunks.entries()) {
          expect(chunk.length).toBeGreaterThan(0);
          expect(chunk.length === 1 || fits(chunk)).toBe(true);
          // And none is cut before it is full.
          const next = chunks[index + 1]?.[0];
          if (next) expect(fits([...chunk, next])).toBe(false);
        }
      },
    ),
  );
});

test('a partition that fills a chunk exactly leaves no room and makes no empty chunk', () => {
  const of = (hour: number, bytes: number) => toPartition({ feed: 'f', hour, state: 'missing', bytes, objects: 1 });
  const sizes = (chunks: Partition[][]) => chunks.map((chunk) => chunk.map(({ bytes }) => bytes));
  expect(sizes(cutChunks([of(1, 10), of(2, 1), of(3, 25), of(4, 4), of(5, 6)], 10))).toEqual([[10], [1], [25], [4, 6]]);
  expect(cutChunks([], 10)).toEqual([]);
});
