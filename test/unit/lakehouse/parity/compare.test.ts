import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareOrder, orderColumns, Reducer } from '../../../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../../../src/contracts/index.ts';
import type { HourRange } from '../../../../src/lakehouse/bronze/index.ts';
import { comparedColumns } from '../../../../src/lakehouse/parity/columns.ts';
import { compareHeld } from '../../../../src/lakehouse/parity/compare.ts';
import type { CompareOptions } from '../../../../src/lakehouse/parity/index.ts';
import { contractOf, earthquakes } from '../../../support/contracts.ts';
import { heldTable } from '../../../support/held-tables.ts';
import { memoryStore } from '../../../support/memory-lake.ts';
import { quake } from '../../../support/rows.ts';

// DuckDB is loaded by the first comparison.
const LONG = 120_000;

// One bucket: each is a DuckDB of its own.
const contract = earthquakes((yaml) => yaml.replace('bucketCount: 16', 'bucketCount: 1'));
const OBJECT = 'f'.repeat(64);
const objectAt = (hour: number): string => `earthquakes/all_hour/dt=2025-01-01/hr=0${hour}/${OBJECT}.geojson`;
const at = (hour: number): Date => new Date(`2025-01-01T0${hour}:00:00Z`);

interface Seen {
  id: number;
  version: number;
  magnitude?: number;
  carrier?: number;
  rules?: number;
  /** Hour of Bronze. */
  hour?: number;
  /** Least version ever seen. Default: its own. */
  first?: number;
}

function rowOf(
  { id, version, magnitude = 1, carrier = 0, rules = 1, hour = 0, first = version }: Seen,
  of = contract,
): Row {
  const object = objectAt(hour);
  return quake(of, `k${id}`, version, {
    magnitude,
    _carrier_order: BigInt(carrier),
    _rules_version: rules,
    _record_hash: createHash('sha256').update(`${id} ${version} ${magnitude}`).digest('hex'),
    _first_version: BigInt(first) * 1000n,
    _record_id: `${object}#${id}-${version}`,
    _bronze_object: object,
  });
}

function tableOf(rows: readonly Row[], of = contract): Row[] {
  const reducer = new Reducer(of);
  for (const row of rows) reducer.add({ ...row });
  return reducer.drain();
}

interface Case {
  silver: readonly Row[];
  shadow: readonly Row[];
}

function compare({ silver, shadow }: Case, options: CompareOptions = {}, of: CompiledContract = contract) {
  const { limit, ...rules } = options;
  const sides = { silver: heldTable(of, silver), shadow: heldTable(of, shadow) };
  return compareHeld(memoryStore(), sides, { contract: of, ...rules }, limit === undefined ? {} : { limit });
}

const kindsOf = async (given: Case, options?: CompareOptions) =>
  Object.fromEntries((await compare(given, options)).differences.map(({ key, kind }) => [key, kind]));

const MIDDLE: HourRange = { from: at(1), to: at(2) };

describe('of all of Bronze everything is to be equal', () => {
  test('each kind of difference is told, with both versions and where they came from', { timeout: LONG }, async () => {
    const same = rowOf({ id: 0, version: 5 });
    const silver = [
      same,
      rowOf({ id: 1, version: 5 }),
      rowOf({ id: 2, version: 7 }),
      rowOf({ id: 3, version: 1 }),
      { ...rowOf({ id: 4, version: 1 }), magnitude: 9 },
      rowOf({ id: 5, version: 9, first: 1 }),
      rowOf({ id: 6, version: 1 }),
      rowOf({ id: 6, version: 2 }),
    ];
    const shadow = [
      { ...same, _record_id: 'elsewhere#1', _bronze_object: 'elsewhere', _contract: 'another' },
      rowOf({ id: 1, version: 6 }),
      rowOf({ id: 2, version: 6 }),
      rowOf({ id: 4, version: 1 }),
      rowOf({ id: 5, version: 9 }),
      rowOf({ id: 6, version: 2 }),
      rowOf({ id: 7, version: 1 }),
    ];
    const found = await compare({ silver, shadow });
    expect(Object.fromEntries(found.differences.map(({ key, kind }) => [key, kind]))).toEqual({
      k1: 'behind',
      k2: 'ahead',
      k3: 'unknown',
      k4: 'unequal',
      k5: 'first_version',
      k6: 'duplicate',
      k7: 'missing',
    });
    expect(found).toMatchObject({ keys: 8, total: 7, mayHeal: 3 });
    expect(Object.values(found.counts)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    const unequal = found.differences.find(({ key }) => key === 'k4');
    expect(unequal).toMatchObject({
      columns: ['magnitude'],
      silver: {
        row: { event_id: 'k4', magnitude: 9, updated_at: '1970-01-01T00:00:00.001000Z', _tombstone: false },
        provenance: { recordId: `${objectAt(0)}#4-1`, bronzeObject: objectAt(0), contract: contract.hash },
        writtenBy: { snapshotId: '7', groupId: 'g', batchIds: ['b1', 'b2'] },
      },
      shadow: { row: { magnitude: 1 } },
    });
    expect(unequal?.silver?.row).not.toHaveProperty('_record_id');
    expect(found.differences.find(({ key }) => key === 'k7')).toMatchObject({ silver: null, columns: [] });
    expect(found.differences.find(({ key }) => key === 'k3')).toMatchObject({ shadow: null });
  });

  test('a side that holds nothing lacks everything; both empty are equal', { timeout: LONG }, async () => {
    const rows = [rowOf({ id: 0, version: 1 }), rowOf({ id: 1, version: 1 })];
    expect((await compare({ silver: [], shadow: rows })).counts).toEqual({ missing: 2 });
    expect((await compare({ silver: rows, shadow: [] })).counts).toEqual({ unknown: 2 });
    expect(await compare({ silver: [], shadow: [] })).toMatchObject({ keys: 0, total: 0 });
  });

  test('all are counted, and no more told than asked for', { timeout: LONG }, async () => {
    const shadow = Array.from({ length: 20 }, (_, id) => rowOf({ id, version: 1 }));
    const found = await compare({ silver: [], shadow }, { limit: 3 });
    expect(found.total).toBe(20);
    expect(found.differences).toHaveLength(3);
  });

  test('a message whose archive is yet to come may heal, any other invention does not', { timeout: LONG }, async () => {
    const streamed = { ...rowOf({ id: 0, version: 1 }), _bronze_object: '_messages/17' };
    const found = await compare({ silver: [streamed, rowOf({ id: 1, version: 1 })], shadow: [] });
    expect(found).toMatchObject({ total: 2, mayHeal: 1, counts: { unknown: 2 } });
  });

  test(
    'without version ties the carrier of a version is not compared, since the first one seen stays',
    {
      timeout: LONG,
    },
    async () => {
      const untied = earthquakes((yaml) => yaml.replace('versionTies, value: possible', 'versionTies, value: none'));
      const silver = [rowOf({ id: 0, version: 1, carrier: 1 }, untied)];
      const shadow = [rowOf({ id: 0, version: 1, carrier: 2 }, untied)];
      expect((await compare({ silver, shadow }, {}, untied)).total).toBe(0);
      expect((await compare({ silver, shadow })).counts).toEqual({ behind: 1 });
    },
  );

  test('each half forgives what the other side got since', { timeout: LONG }, async () => {
    const silver = [rowOf({ id: 0, version: 2, first: 1 }), rowOf({ id: 1, version: 1 })];
    const shadow = [rowOf({ id: 0, version: 1 }), rowOf({ id: 1, version: 2, first: 1 }), rowOf({ id: 2, version: 1 })];
    expect(await kindsOf({ silver, shadow }, { halves: ['lost'] })).toEqual({ k1: 'behind', k2: 'missing' });
    expect(await kindsOf({ silver, shadow }, { halves: ['invented'] })).toEqual({ k0: 'ahead' });
  });
});

describe('of a range Silver may be greater, but by records of other hours only', () => {
  test('what is of another hour may win, and what is of the range may not', { timeout: LONG }, async () => {
    const shadow = [1, 2, 3, 4].map((id) => rowOf({ id, version: 5, hour: 1 }));
    const silver = [
      rowOf({ id: 0, version: 1, hour: 0 }),
      rowOf({ id: 1, version: 6, hour: 2, first: 5 }),
      rowOf({ id: 2, version: 6, hour: 1, first: 5 }),
      rowOf({ id: 3, version: 5, hour: 1, first: 1 }),
      rowOf({ id: 4, version: 4, hour: 0 }),
      rowOf({ id: 5, version: 1, hour: 1 }),
      { ...rowOf({ id: 6, version: 1 }), _bronze_object: '_messages/17' },
    ];
    expect(await kindsOf({ silver, shadow }, { range: MIDDLE })).toEqual({ k2: 'ahead', k4: 'behind', k5: 'unknown' });
  });

  test('a first version that is later than the range has it was lost', { timeout: LONG }, async () => {
    const shadow = [rowOf({ id: 0, version: 5, hour: 1, first: 1 })];
    const silver = [rowOf({ id: 0, version: 9, hour: 2 })];
    expect(await kindsOf({ silver, shadow }, { range: MIDDLE })).toEqual({ k0: 'first_version' });
  });

  test('a range that begins within an hour holds the whole hour, as a run does', { timeout: LONG }, async () => {
    const silver = [rowOf({ id: 0, version: 1, hour: 1 }), rowOf({ id: 1, version: 1, hour: 2 })];
    const range = { from: new Date('2025-01-01T01:20:00Z'), to: new Date('2025-01-01T01:40:00Z') };
    expect(await kindsOf({ silver, shadow: [] }, { range })).toEqual({ k0: 'unknown' });
  });

  test('a record of a log belongs to its hour, wherever it lies', { timeout: LONG }, async () => {
    const log = contractOf('felt_reports');
    const rowAt = (id: string, hour: number): Row => ({
      ...Object.fromEntries(log.columns.map(({ name }) => [name, null])),
      ...Object.fromEntries(
        ['_first_version', '_carrier_order', log.versionField].map((name) => [name, BigInt(hour)] as const),
      ),
      _tombstone: false,
      _rules_version: 1,
      _record_hash: 'ab',
      _record_id: id,
      _bronze_object: `_messages/${id}`,
      _contract: log.hash,
      _hour: BigInt(at(hour).getTime()) * 1000n,
    });
    const found = await compare(
      { silver: [rowAt('a', 0), rowAt('b', 1)], shadow: [rowAt('c', 1)] },
      { range: MIDDLE },
      { ...log, columns: log.columns.map((column) => ({ ...column, required: false })) },
    );
    expect(found.differences.map(({ key, kind }) => [key, kind]).sort()).toEqual([
      ['b', 'unknown'],
      ['c', 'missing'],
    ]);
  });
});

// The law as the oracle: Silver has lost nothing exactly if merging the shadow into it changes nothing, and has invented nothing
// exactly if merging it into the shadow changes nothing.
const NAMES = comparedColumns(contract).map(({ name }) => name);
const textOf = (row: Row | undefined): string =>
  JSON.stringify(NAMES.map((name) => (typeof row?.[name] === 'bigint' ? String(row[name]) : row?.[name])));
const byKey = (rows: readonly Row[]) => new Map(rows.map((row) => [String(row.event_id), row]));

function changedBy(into: readonly Row[], from: readonly Row[]): Set<string> {
  const before = byKey(into);
  const merged = byKey(tableOf([...into, ...from]));
  return new Set([...merged].filter(([key, row]) => textOf(row) !== textOf(before.get(key))).map(([key]) => key));
}

const seen = fc.record({
  id: fc.integer({ min: 0, max: 30 }),
  version: fc.integer({ min: 0, max: 2 }),
  magnitude: fc.integer({ min: 0, max: 1 }),
  carrier: fc.integer({ min: 0, max: 1 }),
  rules: fc.integer({ min: 1, max: 2 }),
  hour: fc.integer({ min: 0, max: 2 }),
});
const landed = fc.array(fc.record({ seen, streamed: fc.boolean() }), { minLength: 60, maxLength: 200 });
const inMiddle = (row: Row): boolean => row._bronze_object === objectAt(1);
const RUNS = { numRuns: 12 };

describe('laws', () => {
  test('a stream that took everything, in any order and however often, is equal to any range', { timeout: LONG }, () =>
    fc.assert(
      fc.asyncProperty(landed, async (records) => {
        const rows = records.map((record) => rowOf(record.seen));
        const silver = tableOf([...rows.toReversed(), ...rows]);
        expect((await compare({ silver, shadow: tableOf(rows) })).total).toBe(0);
        const shadow = tableOf(rows.filter(inMiddle));
        expect((await compare({ silver, shadow }, { range: MIDDLE })).total).toBe(0);
      }),
      RUNS,
    ),
  );

  test('what a stream lost, and what it made of nothing, is told key by key: no more, no less', { timeout: LONG }, () =>
    fc.assert(
      fc.asyncProperty(landed, landed, async (records, others) => {
        const rows = records.map((record) => rowOf(record.seen));
        const invented = others.filter(({ streamed }) => streamed).map((other) => rowOf(other.seen));
        const silver = tableOf([...rows.filter((_, index) => records[index]?.streamed), ...invented]);
        const shadow = tableOf(rows);
        const keys = async (options: CompareOptions) =>
          new Set((await compare({ silver, shadow }, options)).differences.map(({ key }) => key));
        const lost = changedBy(silver, shadow);
        const made = changedBy(shadow, silver);
        expect(await keys({ halves: ['lost'] })).toEqual(lost);
        expect(await keys({ halves: ['invented'] })).toEqual(made);
        expect(await keys({})).toEqual(lost.union(made));
      }),
      RUNS,
    ),
  );

  test(
    'of a range what is lost is told, and of what won only that which the range does not give',
    { timeout: LONG },
    () =>
      fc.assert(
        fc.asyncProperty(landed, landed, async (records, others) => {
          const rows = records.map((record) => rowOf(record.seen));
          const invented = others.filter(({ streamed }) => streamed).map((other) => rowOf(other.seen));
          const silver = tableOf([...rows.filter((_, index) => records[index]?.streamed), ...invented]);
          const shadow = tableOf(rows.filter(inMiddle));
          const held = byKey(shadow);
          const made = silver.filter(inMiddle).filter((row) => {
            const given = held.get(String(row.event_id));
            return !given || compareOrder(contract, row, given) > 0;
          });
          const expected = changedBy(silver, shadow).union(new Set(made.map((row) => String(row.event_id))));
          const found = await compare({ silver, shadow }, { range: MIDDLE });
          expect(new Set(found.differences.map(({ key }) => key))).toEqual(expected);
        }),
        RUNS,
      ),
  );
});

test('what is compared: all columns but provenance', () => {
  expect(NAMES).toEqual([
    ...contract.columns.map(({ name }) => name),
    '_first_version',
    ...['_tombstone', '_carrier_order', '_rules_version', '_record_hash'],
  ]);
  expect(orderColumns(contract).every((name) => NAMES.includes(name))).toBe(true);
});
