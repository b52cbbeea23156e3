import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalHash } from '../../../src/contracts/index.ts';

const hashOf = (value: unknown): string =>
  createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex');

test('the hash of a value is that of its RFC 8785 form, as the library writes it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(canonicalHash(value)).toBe(hashOf(value));
    }),
  );
});

test('objects that are nearly alike, one after another, keep their own order', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'é', '\u{1f600}', '\ufb33'), { minLength: 1 });
  const object = names.map((of) => Object.fromEntries(of.map((name, at) => [name, at])));
  fc.assert(
    fc.property(fc.array(object), (values) => {
      expect(values.map(canonicalHash)).toEqual(values.map(hashOf));
    }),
  );
});

test.each([
  ['names that are numbers', { b: 1, 10: 2, 9: 3, a: { 2: 1, '01': 2 } }],
  ['a name that is no name', JSON.parse('{"b":1,"__proto__":{"z":1,"a":2}}') as object],
  ['names beyond the basic plane', { '\ufb33': 1, '\u{1f600}': 2, '\r': 3 }],
  ['numbers', [-0, 1e21, 1e-7, 333333333.3333333, 4.5, 0.002, 1e30]],
  ['a text that looks like an escape', { text: '\\ud800', other: '\u2028' }],
  ['what JSON leaves out', { b: undefined, a: [undefined, null] }],
  ['a date', { at: new Date(0) }],
])('%s: as the library writes them', (_, value) => {
  expect(canonicalHash(value)).toBe(hashOf(value));
});

test('depth costs no stack', () => {
  const value = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`) as unknown;
  expect(canonicalHash(value)).toBe(hashOf(value));
});
