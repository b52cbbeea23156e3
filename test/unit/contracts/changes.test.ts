import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHANGE_RULES } from '../../../src/contracts/changes/index.ts';
import { CUSTOM_SCHEMA } from '../../../src/contracts/custom-schema.ts';
import { contractChanges, gravest } from '../../../src/contracts/index.ts';
import type { CompiledContract, Impact } from '../../../src/contracts/index.ts';
import { contractOf } from '../../support/contracts.ts';

type Edit = [from: string, to: string];

const RAISE: Edit = ['rulesVersion, value: 1 }', 'rulesVersion, value: 2 }'];

/** A contract of `sources/` with some of its text replaced; each text must be there. */
function edited(source: string, ...edits: Edit[]): CompiledContract {
  return contractOf(source, (yaml) =>
    edits.reduce((text, [from, to]) => {
      expect(text).toContain(from);
      return text.replace(from, to);
    }, yaml),
  );
}

/** `path: what: impact`, as the tables below have it. */
function told(from: CompiledContract, to: CompiledContract): string[] {
  return contractChanges(from, to).map(({ path, what, impact }) => `${path}: ${what}: ${impact}`);
}

const REGION = '- { name: region, logicalType: string }';
const STATIONS = '- { name: stations, logicalType: integer }';
const COUNTRY: Edit[] = [
  [REGION, `${REGION}\n      - { name: country, logicalType: string }`],
  ['region: { from: region }', 'region: { from: region }\n      country: { from: country }'],
];
const REQUIRED_COUNTRY: Edit[] = [
  [REGION, `${REGION}\n      - { name: country, logicalType: string, required: true }`],
  ['region: { from: region }', 'region: { from: region }\n      country: { from: country }'],
];

// Each change there and back again: what widens one way narrows the other.
test.each<{ name: string; source: string; edits: Edit[]; there: string[]; back: string[] }>([
  {
    name: 'a nullable column',
    source: 'networks',
    edits: COUNTRY,
    there: ['columns.country: added, nullable string: rules-version'],
    back: ['columns.country: removed, was string: breaking'],
  },
  {
    name: 'a nullable column under raised rules',
    source: 'networks',
    edits: [...COUNTRY, RAISE],
    there: ['columns.country: added, nullable string: compatible', 'rulesVersion: 1 became 2: compatible'],
    back: ['columns.country: removed, was string: breaking', 'rulesVersion: 2 became 1: breaking'],
  },
  {
    name: 'a required column',
    source: 'networks',
    edits: [...REQUIRED_COUNTRY, RAISE],
    there: ['columns.country: added, required string: breaking', 'rulesVersion: 1 became 2: compatible'],
    back: ['columns.country: removed, was string: breaking', 'rulesVersion: 2 became 1: breaking'],
  },
  {
    name: 'a column under another name',
    source: 'networks',
    edits: [
      [REGION, REGION.replace('region', 'area')],
      ['region: { from: region }', 'area: { from: region }'],
    ],
    there: ['columns.area: added, nullable string: rules-version', 'columns.region: removed, was string: breaking'],
    back: ['columns.area: removed, was string: breaking', 'columns.region: added, nullable string: rules-version'],
  },
  {
    name: 'the type of a column',
    source: 'earthquakes',
    edits: [['name: significance, logicalType: integer', 'name: significance, logicalType: number'], RAISE],
    there: ['columns.significance.type: long became double: breaking', 'rulesVersion: 1 became 2: compatible'],
    back: ['columns.significance.type: double became long: breaking', 'rulesVersion: 2 became 1: breaking'],
  },
  {
    name: 'a column that may be null',
    source: 'felt_reports',
    edits: [['name: intensity, logicalType: integer, required: true', 'name: intensity, logicalType: integer']],
    there: ['columns.intensity.required: required became nullable: compatible'],
    back: ['columns.intensity.required: nullable became required: breaking'],
  },
  {
    name: 'a description',
    source: 'networks',
    edits: [['description: Version of the row', 'description: When it changed']],
    there: ['columns.updated_at.doc: another description: compatible'],
    back: ['columns.updated_at.doc: another description: compatible'],
  },
  {
    name: 'the order of columns',
    source: 'networks',
    edits: [[`${REGION}\n      ${STATIONS}`, `${STATIONS}\n      ${REGION}`]],
    there: ['columns: another order; exports and digests follow it: compatible'],
    back: ['columns: another order; exports and digests follow it: compatible'],
  },
  {
    name: 'the order of the mapping',
    source: 'networks',
    edits: [
      ['operator: { from: operator }\n      region: { from: region }', 'region: { from: region }'],
      ['      stations: { from', '      operator: { from: operator }\n      stations: { from'],
    ],
    there: ['mapping: another order: compatible'],
    back: ['mapping: another order: compatible'],
  },
  {
    name: 'where a value comes from',
    source: 'networks',
    edits: [['region: { from: region }', 'region: { from: area }']],
    there: ['mapping.region.from: region became area: rules-version'],
    back: ['mapping.region.from: area became region: rules-version'],
  },
  {
    name: 'where a value comes from, under raised rules',
    source: 'networks',
    edits: [['region: { from: region }', 'region: { from: area, as: lower-case }'], RAISE],
    there: [
      'mapping.region.as: as-is became lower-case: compatible',
      'mapping.region.from: region became area: compatible',
      'rulesVersion: 1 became 2: compatible',
    ],
    back: [
      'mapping.region.as: lower-case became as-is: rules-version',
      'mapping.region.from: area became region: rules-version',
      'rulesVersion: 2 became 1: breaking',
    ],
  },
  {
    name: 'where the key comes from',
    source: 'networks',
    edits: [['network: { from: code, as: lower-case }', 'network: { from: code }'], RAISE],
    there: ['mapping.network.as: lower-case became as-is: breaking', 'rulesVersion: 1 became 2: compatible'],
    back: ['mapping.network.as: as-is became lower-case: breaking', 'rulesVersion: 2 became 1: breaking'],
  },
  {
    name: 'where the version comes from',
    source: 'networks',
    edits: [['updated_at: { from: updated,', 'updated_at: { from: changed,']],
    there: ['mapping.updated_at.from: updated became changed: breaking'],
    back: ['mapping.updated_at.from: changed became updated: breaking'],
  },
  {
    name: 'a fallback of a nullable column',
    source: 'networks',
    edits: [['region: { from: region }', 'region: { from: region, orLastPathSegmentOf: url }']],
    there: ['mapping.region.orLastPathSegmentOf: none became url: rules-version'],
    back: ['mapping.region.orLastPathSegmentOf: url became none: rules-version'],
  },
  {
    name: 'no fallback of the key any more',
    source: 'earthquakes',
    edits: [['{ from: id, orLastPathSegmentOf: properties.url }', '{ from: id }']],
    there: ['mapping.event_id.orLastPathSegmentOf: properties.url became none: breaking'],
    back: ['mapping.event_id.orLastPathSegmentOf: none became properties.url: compatible'],
  },
  {
    name: 'another fallback of the key',
    source: 'earthquakes',
    edits: [['orLastPathSegmentOf: properties.url', 'orLastPathSegmentOf: properties.detail']],
    there: ['mapping.event_id.orLastPathSegmentOf: properties.url became properties.detail: breaking'],
    back: ['mapping.event_id.orLastPathSegmentOf: properties.detail became properties.url: breaking'],
  },
  {
    name: 'the version field',
    source: 'earthquakes',
    edits: [['versionField, value: updated_at', 'versionField, value: event_time'], RAISE],
    there: ['rulesVersion: 1 became 2: compatible', 'versionField: updated_at became event_time: breaking'],
    back: ['rulesVersion: 2 became 1: breaking', 'versionField: event_time became updated_at: breaking'],
  },
  {
    name: "the carrier's order",
    source: 'earthquakes',
    edits: [['carrierOrder, value: generated', 'carrierOrder, value: made']],
    there: ['carrierOrder: generated became made: breaking'],
    back: ['carrierOrder: made became generated: breaking'],
  },
  {
    name: 'ties of versions',
    source: 'networks',
    edits: [['versionTies, value: possible', 'versionTies, value: none']],
    there: ['versionTies: possible became none: breaking'],
    back: ['versionTies: none became possible: breaking'],
  },
  {
    name: 'buckets and table',
    source: 'networks',
    edits: [['table: networks, bucketCount: 1 }', 'table: seismic_networks, bucketCount: 4 }'], RAISE],
    there: [
      'rulesVersion: 1 became 2: compatible',
      'sink.bucketCount: 1 became 4: breaking',
      'sink.table: networks became seismic_networks: breaking',
    ],
    back: [
      'rulesVersion: 2 became 1: breaking',
      'sink.bucketCount: 4 became 1: breaking',
      'sink.table: seismic_networks became networks: breaking',
    ],
  },
  {
    name: 'the format of a log',
    source: 'felt_reports',
    edits: [['format: avro, namespace: silver', 'format: parquet, namespace: apps']],
    there: ['sink.format: avro became parquet: breaking', 'sink.namespace: silver became apps: breaking'],
    back: ['sink.format: parquet became avro: breaking', 'sink.namespace: apps became silver: breaking'],
  },
  {
    name: 'how new objects are named',
    source: 'networks',
    edits: [['mediaType: text/csv, extension: csv', 'mediaType: text/plain, extension: txt']],
    there: ['unpack.extension: csv became txt: compatible', 'unpack.mediaType: text/csv became text/plain: compatible'],
    back: ['unpack.extension: txt became csv: compatible', 'unpack.mediaType: text/plain became text/csv: compatible'],
  },
  {
    name: 'how a file is read',
    source: 'networks',
    edits: [['extension: csv }', "extension: csv, delimiter: ';', encoding: windows-1252 }"]],
    there: ['unpack.delimiter: none became ;: breaking', 'unpack.encoding: none became windows-1252: breaking'],
    back: ['unpack.delimiter: ; became none: breaking', 'unpack.encoding: windows-1252 became none: breaking'],
  },
  {
    name: 'a default that is said',
    source: 'networks',
    edits: [['extension: csv }', "extension: csv, delimiter: ',', encoding: utf-8 }"]],
    there: ['unpack.delimiter: none became ,: compatible', 'unpack.encoding: none became utf-8: compatible'],
    back: ['unpack.delimiter: , became none: compatible', 'unpack.encoding: utf-8 became none: compatible'],
  },
  {
    name: 'one more feed',
    source: 'networks',
    edits: [['- { name: files,', '- { name: more, kind: file }\n      - { name: files,']],
    there: ['feeds.more: added, file: compatible'],
    back: ['feeds.more: removed, was file: breaking'],
  },
  {
    name: 'the schedule, address and limits of feeds and hosts',
    source: 'earthquakes',
    edits: [
      ['coverageSeconds: 86400\n        intervalSeconds: 21600', 'coverageSeconds: 80000'],
      ['pageSize: 20000', 'pageSize: 10000'],
      ['hosts, value: [earthquake.usgs.gov]', 'hosts, value: [earthquake.usgs.gov, usgs.gov]'],
    ],
    there: [
      'feeds.all_day.coverageSeconds: 86400 became 80000: compatible',
      'feeds.all_day.intervalSeconds: 21600 became none: compatible',
      'feeds.fdsn.pageSize: 20000 became 10000: compatible',
      'hosts: ["earthquake.usgs.gov"] became ["earthquake.usgs.gov","usgs.gov"]: compatible',
    ],
    back: [
      'feeds.all_day.coverageSeconds: 80000 became 86400: compatible',
      'feeds.all_day.intervalSeconds: none became 21600: compatible',
      'feeds.fdsn.pageSize: 10000 became 20000: compatible',
      'hosts: ["earthquake.usgs.gov","usgs.gov"] became ["earthquake.usgs.gov"]: compatible',
    ],
  },
  {
    name: 'a header that no column reads',
    source: 'github_events',
    edits: [['headers: [x-github-event, x-github-hook-id', 'headers: [x-github-event']],
    there: [expect.stringMatching(/^feeds\.deliveries\.headers: .*: compatible$/) as string],
    back: [expect.stringMatching(/^feeds\.deliveries\.headers: .*: compatible$/) as string],
  },
  {
    name: 'a header that a required column reads',
    source: 'github_events',
    edits: [['headers: [x-github-event, ', 'headers: [']],
    there: [expect.stringMatching(/^feeds\.deliveries\.headers: .*: breaking$/) as string],
    back: [expect.stringMatching(/^feeds\.deliveries\.headers: .*: compatible$/) as string],
  },
  {
    name: 'topic and ordering key',
    source: 'felt_reports',
    edits: [['topic: felt_reports,', 'topic: felt_reports_2, orderingKey: event_id,']],
    there: [
      'messaging.orderingKey: none became event_id: compatible',
      'messaging.topic: felt_reports became felt_reports_2: compatible',
    ],
    back: [
      'messaging.orderingKey: event_id became none: compatible',
      'messaging.topic: felt_reports_2 became felt_reports: compatible',
    ],
  },
  {
    name: 'a table of raw',
    source: 'networks',
    edits: [
      [
        '  - { property: lookbackHours, value: 48 }',
        '  - { property: messaging, value: { rawTable: networks } }\n  - { property: lookbackHours, value: 48 }',
      ],
    ],
    there: ['messaging.rawTable: none became networks: compatible'],
    back: ['messaging.rawTable: networks became none: breaking'],
  },
  {
    name: 'another table of raw with other columns',
    source: 'felt_reports',
    edits: [['rawTable: felt_reports, rawColumns: contract', 'rawTable: felt, rawColumns: message']],
    there: [
      'messaging.rawColumns: contract became message: breaking',
      'messaging.rawTable: felt_reports became felt: breaking',
    ],
    back: [
      'messaging.rawColumns: message became contract: breaking',
      'messaging.rawTable: felt became felt_reports: breaking',
    ],
  },
  {
    name: 'columns of raw that are said to be the default',
    source: 'github_events',
    edits: [['{ rawTable: github_events }', '{ rawTable: github_events, rawColumns: message }']],
    there: ['messaging.rawColumns: none became message: compatible'],
    back: ['messaging.rawColumns: message became none: compatible'],
  },
  {
    name: 'how runs and upkeep work',
    source: 'earthquakes',
    edits: [
      ['version: 1.0.0', 'version: 1.1.0'],
      ['eventTime, value: event_time', 'eventTime, value: updated_at'],
      ['maxShare: 0.01', 'maxShare: 0.02'],
      ['maxLatencySeconds: 60', 'maxLatencySeconds: 30'],
      [
        '  - { property: lookbackHours, value: 48 }',
        '  - { property: lookbackHours, value: 24 }\n' +
          '  - { property: timeZone, value: Europe/Paris }\n' +
          '  - { property: dependsOnPast, value: true }\n' +
          '  - { property: maintenance, value: { snapshots: { max: 100 } } }',
      ],
    ],
    there: [
      'commit.maxLatencySeconds: 60 became 30: compatible',
      'dependsOnPast: none became true: compatible',
      'eventTime: event_time became updated_at: compatible',
      'lookbackHours: 48 became 24: compatible',
      'maintenance: none became {"snapshots":{"max":100}}: compatible',
      'quarantine.maxShare: 0.01 became 0.02: compatible',
      'timeZone: none became Europe/Paris: compatible',
      'version: 1.0.0 became 1.1.0: compatible',
    ],
    back: [
      'commit.maxLatencySeconds: 30 became 60: compatible',
      'dependsOnPast: true became none: compatible',
      'eventTime: updated_at became event_time: compatible',
      'lookbackHours: 24 became 48: compatible',
      'maintenance: {"snapshots":{"max":100}} became none: compatible',
      'quarantine.maxShare: 0.02 became 0.01: compatible',
      'timeZone: Europe/Paris became none: compatible',
      'version: 1.1.0 became 1.0.0: compatible',
    ],
  },
])('$name', ({ source, edits, there, back }) => {
  const [before, after] = [contractOf(source), edited(source, ...edits)];
  expect(told(before, after)).toEqual(there);
  expect(told(after, before)).toEqual(back);
});

/** A compiled contract with properties that its text cannot have. */
const having = (properties: object): CompiledContract => ({
  ...contractOf('networks'),
  ...properties,
  hash: JSON.stringify(properties),
});

test.each<[string, object, object, Impact]>([
  ['the policy of unknown fields', {}, { unknownFields: 'freeze' }, 'compatible'],
  ['a policy that refuses records', { unknownFields: 'evolve' }, { unknownFields: 'discard_row' }, 'breaking'],
  ['a policy that refuses no more', { unknownFields: 'discard_row' }, { unknownFields: 'evolve' }, 'compatible'],
  ['fields that are ignored', { ignoredFields: ['a'] }, { ignoredFields: ['b'] }, 'compatible'],
  [
    'a field that is ignored no more and so refuses records',
    { unknownFields: 'discard_row', ignoredFields: ['a'] },
    { unknownFields: 'discard_row' },
    'breaking',
  ],
  [
    'a field that is ignored and so refuses no more',
    { unknownFields: 'discard_row' },
    { unknownFields: 'discard_row', ignoredFields: ['a'] },
    'compatible',
  ],
  ['the key', {}, { key: ['name'] }, 'breaking'],
  ['absence', {}, { absence: 'deleted' }, 'breaking'],
  ['the kind of objects', {}, { unpack: { ...contractOf('networks').unpack, kind: 'parquet' } }, 'breaking'],
  ['a property that this release does not know', {}, { colour: 'red' }, 'breaking'],
  ['a schema that a release makes otherwise', {}, { jsonSchema: {} }, 'compatible'],
  [
    'system columns that a release has otherwise',
    {},
    { icebergSchema: { ...contractOf('networks').icebergSchema, fields: [] } },
    'breaking',
  ],
])('%s', (_name, before, after, impact) => {
  const changes = contractChanges(having(before), having(after));
  expect(changes.length).toBeGreaterThan(0);
  expect(gravest(changes)).toBe(impact);
});

test('every change but a compatible one says what it needs', () => {
  const [from, to] = [
    contractOf('networks'),
    edited('networks', ...REQUIRED_COUNTRY, ['from: region }', 'from: area }']),
  ];
  expect(contractChanges(from, to)).toEqual([
    {
      path: 'columns.country',
      what: 'added, required string',
      impact: 'breaking',
      needs: 'rebuild: true, since records without it would be refused, and rows that are there have none',
    },
    {
      path: 'mapping.region.from',
      what: 'region became area',
      impact: 'rules-version',
      needs: 'raise rulesVersion: the same record becomes another row',
    },
  ]);
  expect(contractChanges(from, edited('networks', RAISE))).toMatchObject([{ impact: 'compatible', needs: '' }]);
});

const SOURCES = ['earthquakes', 'felt_reports', 'github_events', 'networks'];

test('every property of a compiled contract has a rule, so that a new one cannot be forgotten', () => {
  const compiled = SOURCES.flatMap((source) => Object.keys(contractOf(source)));
  const optional = Object.keys(CUSTOM_SCHEMA.properties as object); // some are in no contract of ours
  const ruled = [...Object.keys(CHANGE_RULES), 'source', 'hash'];
  expect([...compiled, ...optional].filter((property) => !ruled.includes(property))).toEqual([]);
});

test('contracts of two sources are not compared', () => {
  expect(() => contractChanges(contractOf('networks'), contractOf('earthquakes'))).toThrow('CUP_CONTRACT_UNRELATED');
});

test('nothing is told of a contract and itself, published and read again', () => {
  for (const source of SOURCES) {
    const contract = contractOf(source);
    const published = JSON.parse(JSON.stringify({ ...contract, hash: 'of the same words' })) as CompiledContract;
    expect(contractChanges(contract, contract)).toEqual([]);
    expect(contractChanges(published, contract)).toEqual([]);
  }
});

// Edits that do not undo each other, one of each rule; a raised rulesVersion is no such edit, since it heals.
const EDITS: Edit[] = [
  ['version: 1.0.0', 'version: 1.1.0'],
  ['description: Version of the row', 'description: When it changed'],
  ['name: stations, logicalType: integer', 'name: stations, logicalType: integer, required: true'],
  ['operator: { from: operator }', 'operator: { from: run_by }'],
  ['network: { from: code,', 'network: { from: id,'],
  ['bucketCount: 1', 'bucketCount: 2'],
  ['mediaType: text/csv', 'mediaType: text/plain'],
  ['extension: csv }', "extension: csv, delimiter: ';' }"],
  ['kind: file, priority: high', 'kind: file'],
  ['lookbackHours, value: 48', 'lookbackHours, value: 24'],
  ['maxShare: 0.2', 'maxShare: 0.3'],
];
const some = fc.subarray(EDITS);
const GRAVITY: Impact[] = ['compatible', 'rules-version', 'breaking'];
const gravity = (edits: Edit[]): number =>
  GRAVITY.indexOf(gravest(contractChanges(contractOf('networks'), edited('networks', ...edits))));

test('the impact never falls when changes are added', () => {
  fc.assert(
    fc.property(some, some, (few, more) => {
      const all = EDITS.filter((edit) => few.includes(edit) || more.includes(edit));
      expect(gravity(all)).toBe(Math.max(gravity(few), gravity(more)));
    }),
    { numRuns: 100 },
  );
});

test('two contracts with other hashes always differ, in paths that are sorted and there once', () => {
  fc.assert(
    fc.property(some, some, (one, other) => {
      const [from, to] = [edited('networks', ...one), edited('networks', ...other)];
      const paths = contractChanges(from, to).map(({ path }) => path);
      expect(paths.length > 0).toBe(from.hash !== to.hash);
      expect(paths).toEqual([...new Set(paths)].sort());
    }),
    { numRuns: 100 },
  );
});
