import fc from 'fast-check';
import { expect, test } from 'vitest';
import { failedPartitions } from '../../../beam/sinks/manifest.ts';
import type { PartitionOutcome } from '../../../src/lakehouse/deltas/index.ts';

const MAX_SHARE = 0.1;
const contract = { quarantine: { maxShare: MAX_SHARE } } as Parameters<typeof failedPartitions>[0];

function failuresOf(byPartition: PartitionOutcome[], unreadable: Record<string, string> = {}) {
  const sum = (pick: (of: PartitionOutcome) => number) => byPartition.reduce((total, of) => total + pick(of), 0);
  const [recordsIn, quarantined] = [sum((of) => of.recordsIn), sum((of) => of.quarantined)];
  return failedPartitions(contract, { recordsIn, quarantined, byPartition }, unreadable);
}

const outcomes = fc
  .array(fc.record({ rows: fc.nat(30), reduced: fc.nat(5), quarantined: fc.nat(6) }), { maxLength: 12 })
  .map((all) =>
    all.map((of, index) => ({
      ...of,
      partition: `f/${index}`,
      fingerprint: '',
      recordsIn: of.rows + of.reduced + of.quarantined,
    })),
  );

test('without the partitions that it names a batch is published: setting aside always ends after one round', () => {
  fc.assert(
    fc.property(outcomes, (byPartition) => {
      const total = byPartition.reduce((sum, of) => sum + of.recordsIn, 0);
      const refused = byPartition.reduce((sum, of) => sum + of.quarantined, 0);
      const named = failuresOf(byPartition);
      expect(named.length > 0).toBe(refused > MAX_SHARE * total);
      expect(named.every(({ code }) => code === 'CUP_QUARANTINE_CAP')).toBe(true);
      const names = new Set(named.map(({ partition }) => partition));
      expect(failuresOf(byPartition.filter(({ partition }) => !names.has(partition)))).toEqual([]);
    }),
  );
});

const well = (partition: string): PartitionOutcome => ({
  partition,
  fingerprint: '',
  recordsIn: 10,
  quarantined: 1,
  reduced: 2,
  rows: 7,
});

test('a record too few or too many in one partition names it, though the sums of the batch agree', () => {
  const one = { ...well('f/1'), rows: 6 };
  const other = { ...well('f/2'), rows: 8 };
  expect(failuresOf([well('f/0'), one, other])).toEqual([
    { partition: 'f/1', code: 'CUP_ROWS_LOST' },
    { partition: 'f/2', code: 'CUP_ROWS_LOST' },
  ]);
});

test('an object that nobody can read is said first, and a partition is named once', () => {
  const worst = { ...well('f/1'), quarantined: 9 };
  expect(failuresOf([well('f/0'), worst], { 'f/1': 'CUP_OBJECT_UNREADABLE' })).toEqual([
    { partition: 'f/1', code: 'CUP_OBJECT_UNREADABLE' },
  ]);
});
