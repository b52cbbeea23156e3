import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rawElement } from '../../../src/contracts/rules/raw-record.ts';

/** JSON with white space wherever it may stand. */
function spaced(value: unknown, space: string): string {
  if (Array.isArray(value))
    return `[${space}${value.map((item) => spaced(item, space)).join(`${space},${space}`)}${space}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}${space}:${space}${spaced(member, space)}`,
  );
  return `{${space}${members.join(`${space},${space}`)}${space}}`;
}

test('every element comes back as it was written, whatever stands around it', () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  const space = fc.constantFrom('', ' ', '\n\t', '\r\n  ');
  fc.assert(
    fc.property(
      fc.array(json, { minLength: 1, maxLength: 5 }),
      fc.dictionary(fc.string(), json),
      space,
      (elements, others, gap) => {
        const rest = Object.fromEntries(
          Object.entries(others).filter(([name]) => name !== 'features' && name !== '__proto__'),
        );
        const text = spaced({ ...rest, features: elements, after: [1, '"]'] }, gap);
        elements.forEach((element, index) => expect(rawElement(text, 'features', index)).toBe(spaced(element, gap)));
      },
    ),
  );
});

test('escapes and brackets in strings do not mislead', () => {
  const text = String.raw`{"features" : [ {"a":"]}\\\"[{"} , "x" ], "features2": []}`;
  expect(rawElement(text, 'features', 0)).toBe(String.raw`{"a":"]}\\\"[{"}`);
  expect(rawElement(text, 'features', 1)).toBe('"x"');
});
