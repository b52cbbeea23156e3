import { expect, test } from 'vitest';
import { keyMatcher, readKey, textMatcher } from '../../../../src/lakehouse/explain/key.ts';
import { contractOf, earthquakes } from '../../../support/contracts.ts';

const quakes = earthquakes();
const events = contractOf('github_events');

const pairs = (contract: typeof quakes, text: string) =>
  readKey(contract, text).map(({ column, value }) => [column.name, value]);

test('a key is the value alone, pairs or JSON', () => {
  expect(pairs(quakes, 'us7000pwkn')).toEqual([['event_id', 'us7000pwkn']]);
  expect(pairs(quakes, 'event_id=us7000pwkn')).toEqual([['event_id', 'us7000pwkn']]);
  expect(pairs(quakes, '{"event_id":"us7000pwkn"}')).toEqual([['event_id', 'us7000pwkn']]);
  expect(pairs(quakes, 'a=b, c')).toEqual([['event_id', 'a=b, c']]);
});

test('a log is asked for by record id, or by any column', () => {
  expect(pairs(events, 'github_events/deliveries/abc')).toEqual([['_record_id', 'github_events/deliveries/abc']]);
  expect(pairs(events, 'delivery_id=1-2,repository_id=7')).toEqual([
    ['delivery_id', '1-2'],
    ['repository_id', 7],
  ]);
  expect(pairs(events, '{"repository_id":7,"received_at":"2025-05-04T00:00:00Z"}')).toEqual([
    ['repository_id', 7],
    ['received_at', 1_746_316_800_000_000n],
  ]);
  expect(pairs(events, 'repository=a/b,c,action=opened')).toEqual([
    ['repository', 'a/b,c'],
    ['action', 'opened'],
  ]);
});

test.each([
  [quakes, '', 'event_id'],
  [quakes, '{"magnitude":1}', 'event_id (string)'],
  [quakes, '{"event_id":1}', 'no string as event_id'],
  [quakes, '{event_id', 'no JSON'],
  [quakes, '{}', 'or none'],
  [quakes, 'event_id=', 'no string as event_id'],
  [events, 'repository_id=x', 'no long as repository_id'],
  [events, 'received_at=yesterday', 'no timestamptz as received_at'],
  [events, 'action=a,action=b', 'a column twice'],
])('what is no key is refused, and says what is expected: %#', (contract, text, expected) => {
  const reading = () => readKey(contract, text);
  expect(reading).toThrow('CUP_KEY_INVALID');
  expect(reading).toThrow(expected);
});

test('the key of a record is read by the rules, also where the contract refuses it for another column', () => {
  const isWanted = keyMatcher(quakes, readKey(quakes, 'ci1'));
  const context = { carrierOrder: 1n, bronzeObject: 'o' };
  const look = (value: unknown) => isWanted({ offset: 0, value }, context);
  expect(look({ id: 'ci1' })).toBe(true);
  expect(look({ properties: { url: 'https://example.org/eventpage/ci1?x' } })).toBe(true);
  expect(look({ id: 'ci12' })).toBe(false);
  expect(look({ id: 7 })).toBeUndefined();
  expect(look('ci1')).toBeUndefined();
});

test('a text holds a key as a word only', () => {
  const holds = textMatcher(readKey(quakes, 'ci1'));
  expect(['"id":"ci1",', 'ci1', 'a/ci1?'].map(holds)).toEqual([true, true, true]);
  expect(['ci12', 'xci1', 'ci1-2', 'ci1é'].map(holds)).toEqual([false, false, false, false]);
});
