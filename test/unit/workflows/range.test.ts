import { expect, test } from 'vitest';
import { canonicalRange, canonicalTime, overlaps } from '../../../src/workflows/range.ts';

test('a time is written in one way, however it was given', () => {
  for (const text of ['2025-05-04', '2025-05-04T00:00Z', '2025-05-04T00:00:00Z', '2025-05-04T00:00:00.000Z'])
    expect(canonicalTime(text)).toBe('2025-05-04T00:00:00Z');
  expect(canonicalTime('2024-02-29T01:02:03.4Z')).toBe('2024-02-29T01:02:03.400Z');
});

test.each([
  ...['', 'yesterday', '2025-5-4', '2025-13-01', '2025-02-29', '2025-02-30', '2025-04-31T00:00:00Z'],
  ...['2025-05-04T25:00:00Z', '2025-05-04T00:00:00', '2025-05-04T00:00:00+02:00'],
])('%o is refused, and not taken for another time', (text) => {
  expect(() => canonicalTime(text)).toThrow(expect.objectContaining({ type: 'CUP_RANGE_INVALID' }) as Error);
});

test('a range that is empty or the wrong way round is refused', () => {
  for (const to of ['2025-05-04', '2025-05-03'])
    expect(() => canonicalRange({ from: '2025-05-04', to })).toThrow(/from before to/);
});

test('half-open ranges that only touch do not overlap', () => {
  const range = (from: number, to: number) => ({ from: `2025-05-0${from}`, to: `2025-05-0${to}` });
  expect(overlaps(range(1, 3), range(3, 5))).toBe(false);
  expect(overlaps(range(3, 5), range(1, 3))).toBe(false);
  expect(overlaps(range(1, 4), range(3, 5))).toBe(true);
  expect(overlaps(range(1, 9), range(3, 5))).toBe(true);
});
