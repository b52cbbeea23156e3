import { expect, test } from 'vitest';
import { canonicalHash, hourOfMicros, normaliser } from '../../../src/contracts/index.ts';
import type { Value } from '../../../src/contracts/index.ts';
import { rfc3339ToMicros } from '../../../src/contracts/rules/times.ts';
import { contractOf } from '../../support/contracts.ts';

const github = contractOf('github_events');

/** What the column `payload`, RFC 8785 text of the body, becomes. */
function payloadOf(body: unknown): Value | string | undefined {
  const value = {
    delivery_id: 'd',
    headers: { 'x-github-event': 'push' },
    received_at: '2025-01-01T00:00:00Z',
    body,
  };
  const context = { carrierOrder: 1n, bronzeObject: 'o', hour: '2025-01-01T00' };
  const result = normaliser(github)({ offset: 0, value }, context);
  return 'row' in result ? result.row.payload : `${result.reject.reasonCode}: ${result.reject.detail}`;
}

test.each([
  ['1970-01-01T00:00:00Z', 0n],
  ['1970-01-01t00:00:01z', 1_000_000n],
  ['1970-01-01 00:00:01Z', 1_000_000n],
  ['1970-01-01T00:00:00.5Z', 500_000n],
  ['1970-01-01T00:00:00.1234567Z', 123_456n],
  ['1969-12-31T23:59:59.999999Z', -1n],
  ['1970-01-01T05:30:00+05:30', 0n],
  ['1969-12-31T16:00:00-08:00', 0n],
  ['2024-02-29T00:00:00Z', 1_709_164_800_000_000n],
])('the time %s is %s', (text, micros) => {
  expect(rfc3339ToMicros(text)).toBe(micros);
});

test.each([
  ['a day that does not exist', '2025-02-29T00:00:00Z'],
  ['a month that does not exist', '2025-13-01T00:00:00Z'],
  ['hour 24', '2025-01-01T24:00:00Z'],
  ['minute 60', '2025-01-01T12:60:00Z'],
  ['an offset of 24 hours', '2025-01-01T00:00:00+24:00'],
  ['no offset', '2025-01-01T00:00:00'],
  ['a day alone', '2025-01-01'],
  ['text around it', ' 2025-01-01T00:00:00Z '],
  ['a number', 1_735_689_600_000],
  ['nothing', null],
])('%s is no time of RFC 3339', (_name, value) => {
  expect(rfc3339ToMicros(value)).toBeUndefined();
});

test.each([
  [0n, '1970-01-01T00'],
  [3_599_999_999n, '1970-01-01T00'],
  [3_600_000_000n, '1970-01-01T01'],
  [-1n, '1969-12-31T23'],
  [-3_600_000_000n, '1969-12-31T23'],
])('microsecond %s is in hour %s', (micros, hour) => {
  expect(hourOfMicros(micros)).toBe(hour);
});

test('json keeps a value as its RFC 8785 text', () => {
  expect(payloadOf({ b: [1.0, null, 'ü'], a: { z: true } })).toBe('{"a":{"z":true},"b":[1,null,"ü"]}');
});

test('half of a character has no RFC 8785 text: it costs its own record', () => {
  const body = JSON.parse(String.raw`{"title":"\ud800"}`) as unknown;
  expect(payloadOf(body)).toBe('wrong_type: payload: expected JSON that has an RFC 8785 form');
});

test('a record with half of a character has a hash all the same, that of what UTF-8 writes', () => {
  const record = JSON.parse(String.raw`{"a\ud800":["\udfff",1,null]}`) as unknown;
  expect(canonicalHash(record)).toBe(canonicalHash({ 'a\ufffd': ['\ufffd', 1, null] }));
});
