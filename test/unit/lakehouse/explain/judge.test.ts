import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareOrder, normaliser, orderColumns, Reducer } from '../../../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../../../src/contracts/index.ts';
import { judge } from '../../../../src/lakehouse/explain/judge.ts';
import { lostText } from '../../../../src/lakehouse/explain/records.ts';
import { earthquakes } from '../../../support/contracts.ts';

const ties = earthquakes();
const noTies = earthquakes((yaml) => yaml.replace('versionTies, value: possible', 'versionTies, value: none'));

interface Sighting {
  version: number;
  carrier: number;
  magnitude: number;
  object: number;
  tombstone: boolean;
  rules: number;
}

// Few values of each: ties in every part of the order must be common.
const sighting = fc.record<Sighting>({
  version: fc.integer({ min: 0, max: 2 }),
  carrier: fc.integer({ min: 0, max: 2 }),
  magnitude: fc.integer({ min: 0, max: 2 }),
  object: fc.integer({ min: 0, max: 30 }),
  tombstone: fc.boolean(),
  rules: fc.integer({ min: 1, max: 2 }),
});

/** An object has one carrier order, and one record at an offset. */
const objectOf = (seen: Sighting): string => `o${Object.values(seen).join('-')}`;

function rowOf(contract: CompiledContract, seen: Sighting): { row: Row; raw: unknown } {
  const raw = {
    id: 'k',
    properties: { time: 1, updated: 1_000 + seen.version, mag: seen.magnitude },
    geometry: { coordinates: [0, 0, 0] },
  };
  const context = { carrierOrder: BigInt(seen.carrier), bronzeObject: objectOf(seen) };
  const result = normaliser(contract)({ offset: 0, value: raw }, context);
  if (!('row' in result)) throw new Error('refused');
  return { row: { ...result.row, _tombstone: seen.tombstone, _rules_version: seen.rules }, raw };
}

function sealed(contract: CompiledContract, seen: Sighting): Row {
  const reducer = new Reducer(contract);
  const { row, raw } = rowOf(contract, seen);
  reducer.add(row, raw);
  return reducer.drain()[0]!;
}

/** The table, made as a job makes it: unsealed rows in any order. */
function reduced(contract: CompiledContract, all: Sighting[]): Row {
  const reducer = new Reducer(contract);
  for (const seen of all) {
    const { row, raw } = rowOf(contract, seen);
    reducer.add(row, raw);
  }
  return reducer.drain()[0]!;
}

const contracts = fc.constantFrom(ties, noTies);

test('the winner is the one of the reducer, whatever the records and their order', () => {
  fc.assert(
    fc.property(contracts, fc.array(sighting, { minLength: 1, maxLength: 30 }), (contract, all) => {
      const judgement = judge(
        contract,
        all.map((seen) => ({ of: seen, row: sealed(contract, seen) })),
      )!;
      const table = reduced(contract, all.toReversed());
      expect(judgement.row).toEqual(table);
      expect(compareOrder(contract, sealed(contract, judgement.winner), table)).toBe(0);
      expect(`${objectOf(judgement.winner)}#0`).toBe(table._record_id);
      expect(judgement.ranked).toHaveLength(all.length);
    }),
    { numRuns: 400 },
  );
});

test('the part that is told is the first in which a record and the winner differ, and there the winner is greater', () => {
  fc.assert(
    fc.property(contracts, fc.array(sighting, { minLength: 2, maxLength: 30 }), (contract, all) => {
      const candidates = all.map((seen) => ({ of: sealed(contract, seen), row: sealed(contract, seen) }));
      const { row: winner, ranked } = judge(contract, candidates)!;
      const columns = orderColumns(contract);
      for (const { of, lostBy } of ranked.slice(1)) {
        const order = compareOrder(contract, winner, of);
        if (lostBy!.part === 'record') {
          expect(order).toBe(0);
          expect(String(winner._record_id) <= String(of._record_id)).toBe(true);
          continue;
        }
        expect(order).toBeGreaterThan(0);
        expect(winner[lostBy!.part]! > of[lostBy!.part]!).toBe(true);
        expect(lostBy!.tiedIn).toEqual(columns.slice(0, columns.indexOf(lostBy!.part)));
        for (const column of lostBy!.tiedIn) expect(winner[column]).toEqual(of[column]);
      }
      for (const [index, { of }] of ranked.entries())
        expect(compareOrder(contract, of, ranked[index + 1]?.of ?? of)).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 400 },
  );
});

test('without a candidate there is no winner', () => {
  expect(judge(ties, [])).toBeUndefined();
});

test('why a record lost is told in words', () => {
  const [version = '', tombstone = '', carrier = '', rules = ''] = orderColumns(ties);
  const text = (part: string, tiedIn: string[], same = false): string => lostText(ties, { part, tiedIn }, same);
  expect(text(version, [])).toBe('updated_at older; other content');
  expect(text(carrier, [version, tombstone])).toBe(
    'tie of updated_at: generated (_carrier_order) earlier; other content',
  );
  expect(text(carrier, [version, tombstone], true)).toBe(
    'tie of updated_at: generated (_carrier_order) earlier; the same content, a duplicate',
  );
  expect(text('_record_hash', [version, tombstone, carrier, rules])).toBe(
    'tie of updated_at and generated (_carrier_order): _record_hash lesser hash; other content',
  );
  expect(text(tombstone, [version])).toBe('tie of updated_at: the other is a tombstone; other content');
  expect(text('record', orderColumns(ties), true)).toContain('duplicate: the same record in another object');
});
