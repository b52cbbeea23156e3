import { expect, test } from 'vitest';
import { freshnessOf } from '../../../src/contracts/index.ts';
import { rawTablesOf, relationsOf, selectActions, sqlOf } from '../../../src/lakehouse/gold/actions.ts';
import type { CompiledAction } from '../../../src/lakehouse/gold/actions.ts';
import { dayState } from '../../../src/lakehouse/gold/day.ts';
import { judgeFreshness, newestTime } from '../../../src/lakehouse/gold/freshness.ts';
import { sampleOf } from '../../../src/lakehouse/gold/sample.ts';
import type { EventKind, LedgerState } from '../../../src/lakehouse/ledger/index.ts';

const HOUR = 3_600;
const feed = (name: string, intervalSeconds: number) => ({
  name,
  url: 'https://example.org',
  coverageSeconds: intervalSeconds,
  intervalSeconds,
});
const state = (kind: EventKind, subject: string, of = 'done', detail = {}): LedgerState => ({
  kind,
  subject,
  state: of,
  fingerprint: '',
  occurredAt: '',
  detail,
});
const hours = (date: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) =>
    state('partition', `hourly/${date}T${String(from + index).padStart(2, '0')}`),
  );

test('a day is there when every slot is done, a gap or missing', () => {
  const contract = { feeds: [feed('hourly', HOUR)] };
  const before = state('partition', 'hourly/2025-05-03T23');
  expect(dayState(contract, [before, ...hours('2025-05-04', 0, 24)], '2025-05-04')).toEqual({ expected: 24, late: [] });
  const holes = [
    state('partition', 'hourly/2025-05-04T20', 'failed'),
    state('gap', 'hourly/2025-05-04T21:00:00Z', 'gap'),
    state('missing', 'hourly/2025-05-04T22:00:00.000Z', 'missing', { to: '2025-05-05T00:00:00.000Z' }),
  ];
  const known = [before, ...hours('2025-05-04', 0, 20), ...holes];
  expect(dayState(contract, known, '2025-05-04')).toEqual({ expected: 24, late: ['hourly/2025-05-04T20'] });
});

test('slots before the first poll of a feed are not waited for, those after the last are', () => {
  const contract = { feeds: [feed('hourly', HOUR)] };
  expect(dayState(contract, hours('2025-05-04', 20, 23), '2025-05-04')).toEqual({
    expected: 4,
    late: ['hourly/2025-05-04T23'],
  });
  expect(dayState(contract, [], '2025-05-04')).toEqual({ expected: 0, late: [] });
});

test('a slot of a week is waited for on the day that it ends', () => {
  const contract = { feeds: [feed('weekly', 7 * 24 * HOUR)] };
  const known = [state('partition', 'weekly/2025-04-25T06')];
  // Weeks of the schedule begin on Thursdays, as 1970 did.
  expect(dayState(contract, known, '2025-05-06').expected).toBe(0);
  expect(dayState(contract, known, '2025-05-07').late).toEqual(['weekly/2025-05-01T00']);
  const polled = [...known, state('partition', 'weekly/2025-05-04T06')];
  expect(dayState(contract, polled, '2025-05-07').late).toEqual([]);
});

test('freshness is measured at the end of the day that was asked for', () => {
  const at = { date: '2025-05-04', asOf: '2026-01-01T00:00:00Z' };
  const by = 'event time' as const;
  const judge = (value: unknown, promised?: number) =>
    judgeFreshness('gold.t', { newestMs: newestTime(value), by }, at, promised);
  expect(judge({ value: '2025-05-04' }, 7_200_000)).toMatchObject({ state: 'fresh', ageSeconds: 0 });
  expect(judge({ value: '2025-05-03' }, 7_200_000)).toMatchObject({ state: 'stale', ageSeconds: 86_400 });
  expect(judge({ value: '2025-05-04T23:00:00Z' }, 7_200_000)).toMatchObject({ state: 'fresh', ageSeconds: 3_600 });
  expect(judge(null, 7_200_000)).toMatchObject({ state: 'stale', newest: null, ageSeconds: null });
  expect(judge({ value: '2025-05-04' })).toMatchObject({ state: 'unpromised', promisedSeconds: null });
});

test('a contract may promise a table of Gold another freshness than the source', () => {
  const text = `slaProperties:
  - { property: freshness, value: 1, unit: d, element: "gold.a.event_date, gold.b" }
  - { property: freshness, value: 2, unit: h, element: earthquakes.updated_at }`;
  expect(freshnessOf(text)).toBe(7_200_000);
  expect(freshnessOf(text, 'gold.a')).toBe(86_400_000);
  expect(freshnessOf(text, 'gold.b')).toBe(86_400_000);
  expect(freshnessOf(text, 'gold.c')).toBeUndefined();
});

const target = (name: string) => ({ database: 'p', schema: 'gold', name });
const ACTIONS: CompiledAction[] = [
  { target: target('base'), relation: { tags: [], selectQuery: 'SELECT 1' } },
  {
    target: target('top'),
    relation: {
      tags: ['gold'],
      dependencyTargets: [target('base'), target('declared')],
      selectQuery: 'SELECT whole',
      incrementalTableConfig: { incrementalSelectQuery: 'SELECT new' },
      partitionExpression: 'DATE(at)',
    },
  },
  {
    target: target('check'),
    assertion: { tags: ['gold'], dependencyTargets: [target('top')], selectQuery: 'SELECT 2' },
  },
  { target: target('off'), relation: { tags: ['gold'], disabled: true } },
  { target: target('other'), operations: { tags: ['weekly'], queries: ['SELECT 3', 'SELECT 4'] } },
  { target: target('declared'), declaration: {} },
];

test('actions are chosen by tag with what they need, as an invocation chooses them', () => {
  const names = (tags: string[]) => selectActions(ACTIONS, tags).map((action) => action.target?.name);
  expect(names(['gold'])).toEqual(['base', 'top', 'check']);
  expect(names(['weekly'])).toEqual(['other']);
  expect(selectActions(ACTIONS, ['gold']).flatMap(sqlOf)).toEqual([
    { target: 'gold.base', queries: ['SELECT 1'], alone: true },
    { target: 'gold.top', queries: ['SELECT new', 'SELECT whole'], alone: true },
    { target: 'gold.check', queries: ['SELECT 2'], alone: true },
  ]);
  expect(relationsOf(selectActions(ACTIONS, ['gold']))).toEqual([
    { table: 'gold.base', name: 'p.gold.base' },
    { table: 'gold.top', name: 'p.gold.top', partitionBy: 'DATE(at)' },
  ]);
});

test('a sample is small and plain', () => {
  const row = { at: { value: '2025-05-04' }, id: 'x'.repeat(300), bytes: Buffer.from('a'), many: [1n], none: null };
  const sample = sampleOf(Array.from({ length: 20 }, () => row));
  expect(sample).toHaveLength(10);
  expect(sample[0]).toEqual({ at: '2025-05-04', id: `${'x'.repeat(200)}…`, bytes: 'YQ==', many: ['1'], none: null });
  const wide = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`c${index}`, 'y'.repeat(100)]));
  expect(JSON.stringify(sampleOf([wide, wide, wide])).length).toBeLessThan(17_000);
});

test('the tables of raw that actions read are those that they name, each once', () => {
  const target = (schema: string, name: string) => ({ database: 'p', schema, name });
  const action = (name: string, ...needs: object[]): CompiledAction => ({
    target: target('gold', name),
    relation: { tags: ['gold'], dependencyTargets: needs },
  });
  const actions = [
    action('felt', target('raw', 'felt_reports'), { ...target('silver', 'earthquakes'), database: 'p.cupel' }),
    action('repos', target('silver', 'github_events'), target('raw', 'felt_reports')),
    action('silver', target('raw', 'deliveries')),
  ];
  expect(rawTablesOf(actions)).toEqual(['deliveries', 'felt_reports']);
  expect(rawTablesOf([action('days', target('silver', 'raw'))])).toEqual([]);
});
