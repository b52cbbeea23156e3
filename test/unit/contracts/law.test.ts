import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Reducer, SYSTEM_COLUMNS, normaliser } from '../../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../../src/contracts/index.ts';
import { earthquakes, rowText } from '../../support/contracts.ts';

// The Kappa law: the table is, for each key, the maximum under the total order over every record ever landed, so that any
// split, order and repetition of the records ends in the same rows. Few keys and versions: ties must be common.
const rules = [
  earthquakes(),
  earthquakes((yaml) => yaml.replace('property: rulesVersion, value: 1', 'property: rulesVersion, value: 2')),
];
const COLUMNS = [...rules[0]!.columns, ...SYSTEM_COLUMNS].map((column) => column.name);

interface Sighting {
  id: number;
  version: number;
  carrier: number;
  magnitude: number;
  rules: number;
}

const sighting = fc.record<Sighting>({
  id: fc.integer({ min: 0, max: 3 }),
  version: fc.integer({ min: 0, max: 2 }),
  carrier: fc.integer({ min: 0, max: 2 }),
  magnitude: fc.integer({ min: 0, max: 2 }),
  rules: fc.integer({ min: 0, max: 1 }),
});

function rowOf(seen: Sighting): { row: Row; raw: unknown } {
  const contract = rules[seen.rules]!;
  const raw = {
    id: `k${seen.id}`,
    properties: { time: 1, updated: 1_000 + seen.version, mag: seen.magnitude },
    geometry: { coordinates: [0, 0, 0] },
  };
  const object = `o${seen.carrier}-${seen.id}-${seen.version}-${seen.magnitude}`;
  const result = normaliser(contract)(
    { offset: 0, value: raw },
    { carrierOrder: BigInt(seen.carrier), bronzeObject: object },
  );
  if (!('row' in result)) throw new Error('refused');
  return { row: result.row, raw };
}

function reduce(contract: CompiledContract, batches: Sighting[][]): string[] {
  const table = new Reducer(contract);
  for (const batch of batches) {
    const block = new Reducer(contract);
    for (const seen of batch) {
      const { row, raw } = rowOf(seen);
      block.add(row, raw);
    }
    for (const row of block.drain()) table.add(row);
  }
  return table
    .drain()
    .map((row) => rowText(row, COLUMNS))
    .sort();
}

test('any split, order and repetition of the records gives the same table, under two rules versions', () => {
  fc.assert(
    fc.property(
      fc.array(sighting, { maxLength: 40 }).chain((all) =>
        fc.record({
          all: fc.constant(all),
          shuffled: fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2, maxLength: all.length * 2 }),
          cuts: fc.array(fc.nat(80), { maxLength: 5 }),
        }),
      ),
      ({ all, shuffled, cuts }) => {
        const edges = [0, ...cuts.filter((cut) => cut < shuffled.length), shuffled.length].sort((a, b) => a - b);
        const batches = edges.slice(1).map((end, index) => shuffled.slice(edges[index], end));
        expect(reduce(rules[0]!, batches)).toEqual(reduce(rules[0]!, [all]));
      },
    ),
    { numRuns: 300 },
  );
});

test('_first_version is the least version ever seen, whoever wins', () => {
  const table = new Reducer(rules[0]!);
  for (const version of [2, 0, 1]) {
    const { row, raw } = rowOf({ id: 1, version, carrier: version, magnitude: 1, rules: 0 });
    table.add(row, raw);
  }
  const [row] = table.drain();
  expect(row?.updated_at).toBe(1_002_000n);
  expect(row?._first_version).toBe(1_000_000n);
});

test('an older version in a later poll loses', () => {
  const table = new Reducer(rules[0]!);
  for (const [version, carrier] of [
    [2, 0],
    [1, 2],
  ] as const) {
    const { row, raw } = rowOf({ id: 1, version, carrier, magnitude: 1, rules: 0 });
    table.add(row, raw);
  }
  expect(table.drain()[0]?.updated_at).toBe(1_002_000n);
});

test('of two contents of one version the later carrier wins, then the greater hash', () => {
  const later = rowOf({ id: 1, version: 1, carrier: 2, magnitude: 1, rules: 0 });
  const earlier = rowOf({ id: 1, version: 1, carrier: 1, magnitude: 2, rules: 0 });
  const table = new Reducer(rules[0]!);
  table.add(later.row, later.raw);
  table.add(earlier.row, earlier.raw);
  expect(table.drain()[0]?.magnitude).toBe(1);
});
