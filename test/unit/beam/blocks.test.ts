import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBlock, encodeBlock } from '../../../beam/threads/blocks.ts';

const few = fc.constantFrom<string | number | bigint | boolean | null>(
  '',
  'x',
  -0,
  0,
  NaN,
  1n,
  -1n,
  2n ** 63n - 1n,
  true,
  null,
);
const any = fc.oneof(few, fc.string(), fc.double(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

test('rows come out as they went in, whether a column repeats itself or not', () => {
  const row = fc.record({ repeated: few, once: any, same: fc.constant('contract') });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), (rows) => {
      // A NaN, −0 and 0 are told apart.
      expect(decodeBlock(encodeBlock(rows))).toStrictEqual(rows.map((of) => ({ ...of })));
    }),
    { numRuns: 1_000 },
  );
});

test('a −0 that comes after a 0 stays one', () => {
  const rows = Array.from({ length: 20 }, (_, at) => ({ repeated: at === 10 ? -0 : 0 }));
  expect(decodeBlock(encodeBlock(rows))).toStrictEqual(rows);
});

test('what repeats itself is written once', () => {
  const rows = Array.from({ length: 1_000 }, (_, at) => ({ name: 'n'.repeat(1_000) + (at % 3) }));
  expect(encodeBlock(rows).length).toBeLessThan(10_000);
});
