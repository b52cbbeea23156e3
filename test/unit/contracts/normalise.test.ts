import { describe, expect, test } from 'vitest';
import { normaliser, unpackObject } from '../../../src/contracts/index.ts';
import type { Normalised } from '../../../src/contracts/index.ts';
import { earthquakes } from '../../support/contracts.ts';
import { hasRealPolls, REAL_DATA, realPolls } from '../../support/real-polls.ts';

const contract = earthquakes();
const context = { carrierOrder: 1_746_366_775_000_000n, bronzeObject: 'earthquakes/all_hour/x.geojson' };
const normalise = normaliser(contract);

function feature(
  properties: Record<string, unknown> = {},
  rest: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    type: 'Feature',
    properties: {
      mag: 1.48,
      time: 1746366018110,
      updated: 1746366236183,
      url: 'https://earthquake.usgs.gov/earthquakes/eventpage/ci41144664',
      ...properties,
    },
    geometry: { type: 'Point', coordinates: [-117.8, 35.3, -0.5] },
    ...rest,
  };
}

function run(value: unknown): Normalised {
  return normalise({ offset: 3, value }, context);
}

function row(value: unknown) {
  const result = run(value);
  if (!('row' in result)) throw new Error(JSON.stringify(result));
  return result.row;
}

test('a full record becomes a row (golden: a change here needs a new rulesVersion)', () => {
  const full = feature(
    {
      place: 'Cobb, CA',
      magType: 'ml',
      type: 'quarry blast',
      status: 'REVIEWED',
      net: 'ci',
      sig: 34,
      felt: null,
      tsunami: 1,
      title: 'M 1.5',
    },
    { id: 'ci1' },
  );
  expect(contract.rulesVersion).toBe(1);
  expect(row(full)).toEqual({
    event_id: 'ci1',
    event_time: 1_746_366_018_110_000n,
    updated_at: 1_746_366_236_183_000n,
    magnitude: 1.48,
    magnitude_type: 'ml',
    place: 'Cobb, CA',
    longitude: -117.8,
    latitude: 35.3,
    depth_km: -0.5,
    event_type: 'quarry blast',
    status: 'reviewed',
    network: 'ci',
    significance: 34,
    felt_reports: null,
    tsunami: true,
    title: 'M 1.5',
    url: 'https://earthquake.usgs.gov/earthquakes/eventpage/ci41144664',
    _first_version: 1_746_366_236_183_000n,
    _tombstone: false,
    _carrier_order: 1_746_366_775_000_000n,
    _rules_version: 1,
    _record_hash: '',
    _record_id: 'earthquakes/all_hour/x.geojson#3',
    _bronze_object: 'earthquakes/all_hour/x.geojson',
    _contract: contract.hash,
  });
});

test('without an id, it is the last path segment of the url', () => {
  expect(row(feature()).event_id).toBe('ci41144664');
  expect(row(feature({ url: 'https://x.org/eventpage/us7000?full=1#map' })).event_id).toBe('us7000');
});

test('tsunami 0, 1, null and absent', () => {
  expect(row(feature({ tsunami: 0 })).tsunami).toBe(false);
  expect(row(feature({ tsunami: 1 })).tsunami).toBe(true);
  expect(row(feature({ tsunami: null })).tsunami).toBeNull();
  expect(row(feature()).tsunami).toBeNull();
});

test('an absent title is null, not derived', () => {
  expect(row(feature()).title).toBeNull();
});

test.each([
  ['a record that is no object', [1], 'not_an_object', 'expected a JSON object'],
  ['no time', feature({ time: undefined }), 'missing_required', 'event_time'],
  ['no id and no url', feature({ url: null }), 'missing_required', 'event_id'],
  ['a magnitude in text', feature({ mag: '1.2' }), 'wrong_type', 'magnitude: expected a number'],
  ['half a felt report', feature({ felt: 1.5 }), 'out_of_range', 'felt_reports: expected a whole number within 2^53'],
  [
    'a time beyond the calendar',
    feature({ time: 9e15 }),
    'out_of_range',
    'event_time: expected whole milliseconds since 1970',
  ],
])('%s is refused with a reason', (_name, value, reasonCode, detail) => {
  expect(run(value)).toEqual({ reject: { reasonCode, detail } });
});

test('an inherited property is no value', () => {
  expect(row(feature({ constructor: undefined })).place).toBeNull();
});

describe.skipIf(!hasRealPolls)(`recorded polls of ${REAL_DATA}`, () => {
  test('every real record loads: twelve years of drift, none refused', async () => {
    const refused: string[] = [];
    let records = 0;
    for (const poll of realPolls()) {
      const unpacked = await unpackObject(contract, poll.bytes, poll.name);
      for (const record of unpacked.records) {
        records++;
        const result = normalise(record, { carrierOrder: unpacked.carrierOrder, bronzeObject: poll.name });
        if ('reject' in result)
          refused.push(`${poll.name}#${record.offset} ${result.reject.reasonCode} ${result.reject.detail}`);
      }
    }
    expect(refused).toEqual([]);
    expect(records).toBeGreaterThan(1000);
  });
});
