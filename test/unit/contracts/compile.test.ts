import { expect, test } from 'vitest';
import { compileContract } from '../../../src/contracts/index.ts';
import { earthquakes, earthquakesYaml } from '../../support/contracts.ts';

function faults(edit: (yaml: string) => string): string {
  try {
    compileContract(edit(earthquakesYaml()), 'x.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('expected the contract to be refused');
}

test('the earthquakes contract compiles to the Silver columns, in order', () => {
  const contract = earthquakes();
  expect(contract.columns.map((column) => `${column.name} ${column.type}`)).toEqual([
    'event_id string',
    'event_time timestamptz',
    'updated_at timestamptz',
    'magnitude double',
    'magnitude_type string',
    'place string',
    'longitude double',
    'latitude double',
    'depth_km double',
    'event_type string',
    'status string',
    'network string',
    'significance long',
    'felt_reports long',
    'tsunami boolean',
    'title string',
    'url string',
  ]);
  expect(contract.icebergSchema.fields.slice(17).map((field) => `${field.id} ${field.name} ${field.type}`)).toEqual([
    '18 _first_version timestamptz',
    '19 _tombstone boolean',
    '20 _carrier_order timestamptz',
    '21 _rules_version int',
    '22 _record_hash binary',
    '23 _record_id string',
    '24 _bronze_object string',
    '25 _contract string',
  ]);
});

test('the hash is of the meaning, not of the text', () => {
  const commented = earthquakes((yaml) => `# another comment\n${yaml}`);
  expect(commented.hash).toBe(earthquakes().hash);
  expect(earthquakes((yaml) => yaml.replace('maxShare: 0.01', 'maxShare: 0.02')).hash).not.toBe(commented.hash);
});

test('unknown keys are refused with path and line, every error at once', () => {
  const message = faults((yaml) =>
    yaml.replace('domain: seismology', 'domain: seismology\nowner: me').replace('required: true', 'requird: true'),
  );
  expect(message).toMatch(/line 10, owner: unknown key/);
  expect(message).toMatch(/line 19, schema\.0\.properties\.0\.requird: unknown key/);
});

test('custom properties are checked too', () => {
  const message = faults((yaml) =>
    yaml
      .replace('maxShare: 0.01', 'maxShare: 3')
      .replace('property: hosts', 'property: hots')
      .replace('property: commit', 'property: comit'),
  );
  expect(message).toMatch(/customProperties\.quarantine\.maxShare: must be <= 1/);
  expect(message).toMatch(/customProperties\.hots: unknown key/);
  expect(message).toMatch(/expected commit/);
});

test('parts that disagree are refused', () => {
  expect(faults((yaml) => yaml.replace('value: updated_at', 'value: magnitude'))).toMatch(
    /versionField: expected a required timestamp/,
  );
  expect(faults((yaml) => yaml.replace('      place: {', '      plaice: {'))).toMatch(/plaice is no column/);
  expect(faults((yaml) => yaml.replace('[earthquake.usgs.gov]', '[example.org]'))).toMatch(
    /expected the host of all_hour in hosts/,
  );
});

test('text that is no YAML is refused', () => {
  expect(faults(() => 'a: [')).toMatch(/^CUP_CONTRACT_INVALID/);
});
