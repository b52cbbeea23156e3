import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT } from '../../../scripts/tools.ts';
import { contractOf } from '../../support/contracts.ts';

const SOURCES = readdirSync(path.join(PROJECT, 'sources')).map((file) => file.replace('.yaml', ''));

test.each(SOURCES)('the contract of %s compiles', (source) => {
  expect(contractOf(source).source).toBe(source);
});

test('a log is keyed by record id and ordered by its carrier', () => {
  expect(contractOf('github_events')).toMatchObject({ key: ['_record_id'], versionField: '_carrier_order' });
  expect(contractOf('github_events').icebergSchema.fields.at(-1)?.name).toBe('_hour');
});

const replace = (from: string, to: string) => (yaml: string) => {
  expect(yaml).toContain(from);
  return yaml.replace(from, to);
};

test.each<[string, string, string, RegExp]>([
  [
    'felt_reports',
    'logicalType: string, required: true, description: Id that',
    'logicalType: string, primaryKey: true, description: Id that',
    /expected no primaryKey, since a log/,
  ],
  [
    'felt_reports',
    'property: rulesVersion, value: 1 }',
    'property: rulesVersion, value: 1 }\n  - { property: versionField, value: felt_at }',
    /versionField: a log has none/,
  ],
  [
    'networks',
    '  - { property: versionTies, value: possible }\n',
    '',
    /versionTies: expected, since the sink is an upsert table/,
  ],
  [
    'networks',
    'carrierOrder, value: updated_at',
    'carrierOrder, value: name',
    /carrierOrder: expected a required timestamp column/,
  ],
  [
    'networks',
    'from: updated, as: rfc3339',
    'from: updated, as: integer-text',
    /as: integer-text gives long, and column updated_at is timestamptz/,
  ],
  [
    'networks',
    'stations: { from: stations, as: integer-text }',
    'stations: { from: stations, as: rfc3339 }',
    /as: rfc3339 gives timestamptz, and column stations is long/,
  ],
  ['networks', 'kind: file, priority: high', 'kind: subscription', /expected|must/],
  ['networks', 'id: networks', 'id: Net-works', /id: expected a name of lower-case letters/],
  [
    'networks',
    '{ name: files, kind: file, priority: high }',
    '{ name: _sub, kind: subscription }',
    /_sub is of kind subscription; objects of unpack csv come by file/,
  ],
  ['felt_reports', 'topic: felt_reports, ', '', /messaging: expected the topic that _sub archives/],
  ['felt_reports', 'eventTime, value: felt_at', 'eventTime, value: comment', /eventTime: expected a timestamp column/],
  [
    'github_events',
    'headers: [x-github-event',
    'headers: [x-hub-signature-256, x-github-event',
    /headers\.0: must NOT be valid/,
  ],
  ['github_events', 'scheme: github', 'scheme: gitlab', /scheme: must be equal to one of the allowed values/],
  [
    'github_events',
    'kind: append-log, format: parquet',
    'kind: append-log, format: orc',
    /sink\.format: must be equal to one of the allowed values/,
  ],
  ['github_events', 'kind: append-log, format: parquet', 'kind: append-log', /sink: expected format/],
])('%s: %s → %s', (source, from, to, message) => {
  expect(() => contractOf(source, replace(from, to))).toThrow(message);
});
