import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exactJson } from '../../../src/formats/exact-json.ts';

test.each(['-0', '{"a":[1,-0.0]}', '1e400', '{"a":{"b":-1e400},"c":"-0"}', '[-1e-400]', '{"__proto__":-0}'])(
  'the very value of %s',
  (text) => {
    const value = JSON.parse(text) as unknown;
    expect(JSON.parse(exactJson(value))).toEqual(value);
  },
);

test('of any other value it is what JSON.stringify writes', () => {
  const value = fc.jsonValue().map((any) => JSON.parse(JSON.stringify(any)) as unknown);
  fc.assert(fc.property(value, (any) => exactJson(any) === JSON.stringify(any)));
});
