import { expect, test } from 'vitest';
import { countEntries, cutPages, rangeOf } from '../../../../src/lakehouse/quarantine/index.ts';
import type { QuarantineEntry } from '../../../../src/lakehouse/quarantine/index.ts';

const NOW = { hash: 'now' };

function entry(partition: string, offset: number, reasonCode = 'wrong_type', contract = 'before'): QuarantineEntry {
  const id = `${partition}#${offset}`;
  const copies = [{ uri: `gs://q/${id}.json`, contract }];
  return { kind: 'record', id, reasonCode, detail: '', partitions: [partition], copies };
}

const many = (partition: string, count: number): QuarantineEntry[] =>
  Array.from({ length: count }, (_, offset) => entry(partition, offset));

test('counts by reason and by partition, and of these what is accepted', () => {
  const first = entry('f/2025-01-01T03', 0);
  const entries = [first, entry('f/2025-01-01T03', 1, 'not_an_object'), entry('a/2025-01-01T04', 0)];
  expect(countEntries(entries, new Set([first]))).toEqual({
    quarantined: 3,
    accepted: 1,
    byReason: [
      { reasonCode: 'not_an_object', quarantined: 1, accepted: 0 },
      { reasonCode: 'wrong_type', quarantined: 2, accepted: 1 },
    ],
    partitions: 2,
    byPartition: [
      { partition: 'f/2025-01-01T03', quarantined: 2, accepted: 1 },
      { partition: 'a/2025-01-01T04', quarantined: 1, accepted: 0 },
    ],
  });
});

test('pages hold whole partitions, the oldest hours first, whatever the feed', () => {
  const partitions = Array.from({ length: 250 }, (_, day) => {
    const at = new Date(Date.UTC(2025, 0, 1 + day)).toISOString().slice(0, 13);
    return `${day % 2 ? 'a' : 'z'}/${at}`;
  });
  const entries = partitions.flatMap((partition) => many(partition, 2)).reverse();
  const { pages, left } = cutPages(entries, NOW, 1_000_000);
  expect(left).toBe(0);
  expect(pages.map((page) => page.partitions.length)).toEqual([100, 100, 50]);
  expect(pages.flatMap((page) => page.partitions)).toEqual(partitions);
  expect(pages.flatMap((page) => page.entries)).toHaveLength(500);
  expect(rangeOf(pages)).toEqual({ from: '2025-01-01T00:00:00Z', to: '2025-09-07T01:00:00Z' });
});

test('a page of large partitions holds fewer', () => {
  const entries = ['03', '04', '05'].flatMap((hour) => many(`f/2025-01-01T${hour}`, 3_000));
  expect(cutPages(entries, NOW, 1_000_000).pages.map((page) => page.entries.length)).toEqual([3_000, 3_000, 3_000]);
});

test('a limit takes whole partitions and leaves the rest, but always at least one partition', () => {
  const entries = ['03', '04', '05'].flatMap((hour) => many(`f/2025-01-01T${hour}`, 4));
  const taken = (max: number) => {
    const { pages, left } = cutPages(entries, NOW, max);
    return { partitions: pages.flatMap((page) => page.partitions).length, left };
  };
  expect(taken(12)).toEqual({ partitions: 3, left: 0 });
  expect(taken(11)).toEqual({ partitions: 2, left: 4 });
  expect(taken(1)).toEqual({ partitions: 1, left: 8 });
});

test('a partition is processed again where this very contract refused what is accepted now', () => {
  const entries = [entry('f/2025-01-01T03', 0, 'wrong_type', 'now'), entry('f/2025-01-01T04', 0)];
  expect(cutPages(entries, NOW, 10).pages).toMatchObject([
    { partitions: ['f/2025-01-01T03', 'f/2025-01-01T04'], again: ['f/2025-01-01T03'] },
  ]);
});

test('nothing accepted is no page and no range', () => {
  expect(cutPages([], NOW, 10)).toEqual({ pages: [], left: 0 });
  expect(rangeOf([])).toBeUndefined();
});
