import { expect, test, vi } from 'vitest';
import { withFixes } from '../../support/sdk-process.ts';

// Each test starts processes, one with the fix and one without.
vi.setConfig({ testTimeout: 150_000 });

/** Values through a coder and back; what cannot be written is told as its error. */
const roundTrip = (coder: string, values: string) => `
  require('apache-beam');
  const { Writer, Reader } = require(require.resolve('protobufjs', { paths: [require.resolve('apache-beam')] }));
  const { VarIntCoder } = require('apache-beam/coders/standard_coders');
  const { GeneralObjectCoder } = require('apache-beam/coders/js_coders');
  const through = (value) => {
    const writer = new Writer();
    try {
      new ${coder}().encode(value, writer, 'needsDelimiters');
      return new ${coder}().decode(new Reader(writer.finish()), 'needsDelimiters');
    } catch (error) { return error.message; }
  };
  const told = (value) => Object.is(value, -0) ? '-0' : String(value);
  tell([${values}].map((value) => told(through(value))));`;

const INTEGERS =
  '0, 1, -1, 127, 128, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 1750027960897, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER';
const AS_TEXT = [
  '0',
  '1',
  '-1',
  '127',
  '128',
  '2147483647',
  '2147483648',
  '-2147483649',
  '1750027960897',
  '9007199254740991',
  '-9007199254740991',
];

test('varint: integers beyond 2^31 come back as they were', () => {
  const body = roundTrip('VarIntCoder', INTEGERS);
  const without = withFixes({}, body).told as string[];
  expect(without.slice(0, 6)).toEqual(AS_TEXT.slice(0, 6));
  expect(without[8]).not.toBe(AS_TEXT[8]);
  expect(withFixes({ varint: 'installVarint' }, body).told).toEqual(AS_TEXT);
});

test('varint: one that a number cannot hold exactly is refused', () => {
  const body = roundTrip('VarIntCoder', '2n ** 53n, -(2n ** 63n)');
  const refused = 'an integer of 64 bits that a number cannot hold exactly';
  expect(withFixes({ varint: 'installVarint' }, body).told).toEqual([refused, refused]);
});

test('number-coder: what is no integer is written as a double', () => {
  const body = roundTrip('GeneralObjectCoder', 'NaN, Infinity, -Infinity, -0, 1e300, 0.5, 1750027960897');
  const right = ['NaN', 'Infinity', '-Infinity', '-0', '1e+300', '0.5', '1750027960897'];
  const without = withFixes({ varint: 'installVarint' }, body).told as string[];
  for (const at of [0, 1, 2, 3, 4]) expect(without[at]).not.toBe(right[at]);
  expect(withFixes({ varint: 'installVarint', 'number-coder': 'installNumberCoder' }, body).told).toEqual(right);
});
