import { expect, test } from 'vitest';
import { contractChanges } from '../../../../src/contracts/index.ts';
import {
  confirmed,
  mergeHalves,
  readReport,
  shadowContract,
  writeReport,
} from '../../../../src/lakehouse/parity/index.ts';
import type { Comparison, Difference, DifferenceKind } from '../../../../src/lakehouse/parity/index.ts';
import { contractOf, earthquakes } from '../../../support/contracts.ts';
import { memoryStore } from '../../../support/memory-lake.ts';

const difference = (key: string, kind: DifferenceKind): Difference => ({
  key,
  kind,
  columns: [],
  silver: null,
  shadow: null,
});

/** @param total default: all are told */
function found(differences: Difference[], total = differences.length): Comparison {
  const counts: Comparison['counts'] = {};
  for (const { kind } of differences) counts[kind] = (counts[kind] ?? 0) + 1;
  return { keys: 10, counts, total, mayHeal: 0, differences };
}

test('a key that both halves tell of counts once', () => {
  const lost = found([difference('a', 'unequal'), difference('b', 'missing')]);
  const invented = found([difference('a', 'unequal'), difference('c', 'unknown'), difference('d', 'unequal')]);
  expect(mergeHalves(lost, invented)).toMatchObject({
    keys: 10,
    total: 4,
    counts: { unequal: 2, missing: 1, unknown: 1 },
  });
  expect(mergeHalves(lost, invented).differences.map(({ key }) => key)).toEqual(['a', 'b', 'c', 'd']);
});

test('of a log only what differed before in the same way is believed', () => {
  const before = [difference('a', 'missing'), difference('b', 'missing'), difference('c', 'unknown')];
  const now = found([difference('a', 'missing'), difference('c', 'missing'), difference('d', 'missing')]);
  const told = confirmed(now, before, 3);
  expect(told).toMatchObject({ total: 1, counts: { missing: 1 } });
  expect(told.differences.map(({ key }) => key)).toEqual(['a']);
});

test('where not all was told nothing is forgiven', () => {
  const now = found([difference('a', 'missing'), difference('d', 'missing')]);
  expect(confirmed(now, [difference('a', 'missing')], 2_000)).toBe(now);
  const many = found([difference('d', 'missing')], 2_000);
  expect(confirmed(many, [difference('a', 'missing')], 1)).toBe(many);
});

test('a report is read as it was written', async () => {
  const store = memoryStore();
  const told = [difference('a', 'missing'), difference('ü\n', 'unknown')];
  await writeReport(store, 'gs://ops/parity/s/x-1.ndjson', told);
  expect(await readReport(store, 'gs://ops/parity/s/x-1.ndjson')).toEqual(told);
  await writeReport(store, 'gs://ops/parity/s/x-2.ndjson', []);
  expect(await readReport(store, 'gs://ops/parity/s/x-2.ndjson')).toEqual([]);
});

test('a shadow differs in its table and in what would hold a batch back, and in nothing that makes a row', () => {
  const pinned = earthquakes((yaml) =>
    yaml.replace(
      '- { property: rulesVersion',
      '- { property: unknownFields, value: freeze }\n  - { property: rulesVersion',
    ),
  );
  const shadow = shadowContract(pinned, 'x1');
  expect(shadow.hash).not.toBe(pinned.hash);
  expect(shadow).toMatchObject({
    shadowOf: pinned.hash,
    sink: { namespace: 'silver', table: 'earthquakes__parity_x1' },
  });
  expect(contractChanges(pinned, shadow).map(({ path }) => path.split('.')[0])).toEqual(
    expect.arrayContaining(['sink', 'quarantine', 'unknownFields']),
  );
  const { sink: _sink, quarantine: _quarantine, unknownFields, hash: _hash, shadowOf: _of, ...rest } = shadow;
  const { sink: _a, quarantine: _b, unknownFields: _c, hash: _d, ...same } = pinned;
  expect(unknownFields).toBe('discard_value');
  expect(rest).toEqual(same);
  expect(shadowContract(pinned, 'x1')).toEqual(shadow);
});

test('a policy that refuses records makes other rows, so a shadow keeps it', () => {
  const refusing = contractOf('networks', (yaml) =>
    yaml.replace(
      '- { property: rulesVersion',
      '- { property: unknownFields, value: discard_row }\n  - { property: rulesVersion',
    ),
  );
  expect(shadowContract(refusing, 'x').unknownFields).toBe('discard_row');
});
