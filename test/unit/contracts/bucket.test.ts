import { expect, test } from 'vitest';
import { bucketOf, murmur3 } from '../../../src/contracts/rules/bucket.ts';

// Test vectors of the Iceberg table spec, appendix B.
test('murmur3 gives the values of the Iceberg spec', () => {
  expect(murmur3(Buffer.from('iceberg'))).toBe(1210000089);
  const long = Buffer.alloc(8);
  long.writeBigInt64LE(34n);
  expect(murmur3(long)).toBe(2017239379);
  expect(murmur3(Buffer.from([0, 1, 2, 3]))).toBe(-188683207);
});

test('a bucket is the positive hash modulo the count', () => {
  expect(bucketOf('iceberg', 16)).toBe(1210000089 % 16);
  expect(bucketOf('', 16)).toBe(0);
});
