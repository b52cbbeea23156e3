import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readPlaces, rowAt } from '../../../../src/lakehouse/explain/gold.ts';
import type { RowChange } from '../../../../src/lakehouse/explain/silver.ts';
import type { CompiledAction } from '../../../../src/lakehouse/gold/actions.ts';
import { dependentsOf } from '../../../../src/lakehouse/gold/dependents.ts';
import { rootsOf } from '../../../../src/lakehouse/gold/knowledge.ts';
import { contractOf } from '../../../support/contracts.ts';

const target = (schema: string, name: string, database = 'p') => ({ database, schema, name });
const silver = target('silver', 'earthquakes', 'p.cat');

const relation = (name: string, needs: object[], more = {}): CompiledAction =>
  ({
    target: target('gold', name),
    relation: { relationType: 'TABLE', dependencyTargets: needs, ...more },
  }) as CompiledAction;

test('tables stand on a source directly or through others; what does not is left out', () => {
  const actions = [
    relation('second', [target('gold', 'first'), target('raw', 'felt')]),
    relation('first', [silver], {
      partitionExpression: 'day',
      relationDescriptor: { bigqueryLabels: { from_earthquakes: 'event_time-day' } },
    }),
    relation('other', [target('silver', 'earthquakes')]),
    relation('off', [silver], { disabled: true }),
    { target: target('checks', 'a'), assertion: { dependencyTargets: [silver] } } as CompiledAction,
  ];
  const found = dependentsOf(actions, [silver, target('raw', 'felt')]);
  expect(found.map(({ table, roots }) => [table, roots])).toEqual([
    ['gold.second', ['raw.felt', 'silver.earthquakes']],
    ['gold.first', ['silver.earthquakes']],
  ]);
  expect(found[1]).toMatchObject({ partitionBy: 'day', labels: { from_earthquakes: 'event_time-day' } });
});

test('a source comes to BigQuery by its table of Silver, and by its table of Bronze', () => {
  expect(rootsOf(contractOf('earthquakes'), 'p', 'cat')).toEqual([silver, target('raw', 'earthquakes')]);
  expect(rootsOf(contractOf('networks'), 'p', 'cat')).toEqual([target('silver', 'networks', 'p.cat')]);
});

test('a label tells columns in pairs', () => {
  expect(readPlaces('event_time-event_date')).toEqual([{ from: 'event_time', column: 'event_date' }]);
  expect(readPlaces('a-b--c-d')).toEqual([
    { from: 'a', column: 'b' },
    { from: 'c', column: 'd' },
  ]);
  expect([undefined, '', 'a', 'a-', 'a-b-c'].flatMap(readPlaces)).toEqual([]);
});

test('every label of our own tables names columns of its contract, and is one that BigQuery takes', () => {
  const folder = new URL('../../../../dataform/definitions/gold/', import.meta.url);
  const texts = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'));
  const labels = texts.flatMap((text) => [...text.matchAll(/from_(\w+): "([^"]*)"/g)]);
  expect(labels.length).toBeGreaterThan(5);
  for (const [, source = '', value = ''] of labels) {
    expect(value).toMatch(/^[a-z0-9_-]{1,63}$/);
    const names = contractOf(source).columns.map(({ name }) => name);
    const places = readPlaces(value);
    expect(places.length).toBeGreaterThan(0);
    for (const { from } of places) expect(names).toContain(from);
  }
});

test('a reader at a time saw the row of then; what expired in between makes that unsure', () => {
  const change = (at: number, since: RowChange['since']): RowChange => ({
    snapshotId: String(at),
    at: new Date(at).toISOString(),
    operation: 'append',
    batchIds: [],
    since,
    row: { _record_id: `r${at}` },
  });
  const history = (...changes: RowChange[]) => ({ snapshots: 9, changes, rows: [] });
  const first = change(1_000, 'exact');
  expect(rowAt(history(first, change(2_000, 'exact')), 1_500)).toEqual({ change: first, sure: true });
  expect(rowAt(history(first, change(2_000, 'between')), 1_500)).toEqual({ change: first, sure: false });
  expect(rowAt(history(first), 5_000)).toEqual({ change: first, sure: true });
  expect(rowAt(history(first), 500)).toEqual({ change: undefined, sure: true });
});
