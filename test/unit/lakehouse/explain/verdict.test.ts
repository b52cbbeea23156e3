import { expect, test } from 'vitest';
import type { CompiledContract, Row } from '../../../../src/contracts/index.ts';
import { heldBy } from '../../../../src/lakehouse/explain/held-objects.ts';
import type { Processing } from '../../../../src/lakehouse/explain/batches.ts';
import { judge } from '../../../../src/lakehouse/explain/judge.ts';
import { verdictOf } from '../../../../src/lakehouse/explain/verdict.ts';
import type { Candidate, Evidence } from '../../../../src/lakehouse/explain/verdict.ts';
import { fingerprint } from '../../../../src/lakehouse/deltas/index.ts';
import { contractOf, earthquakes } from '../../../support/contracts.ts';
import { quake } from '../../../support/rows.ts';

const contract = earthquakes();
const settled: Processing = {
  ...{ state: 'settled', batchId: 'b'.repeat(64), outcome: 'committed', snapshotId: '1' },
  contract: contract.hash,
};
const landed: Processing = { state: 'landed', streamed: false };

function candidate(version: number, processing: Processing, changes: Partial<Row> = {}): Candidate {
  const row = quake(contract, 'a', version, changes);
  const record = { object: String(row._bronze_object), offset: 0, partition: 'all_hour/2025-05-04T12' };
  return { record: { ...record, recordId: String(row._record_id), by: 'key', made: { row } }, row, processing };
}

function verdict(candidates: Candidate[], rows: Row[], more: Partial<Evidence> = {}) {
  const of = more.contract ?? contract;
  const judgement = judge(
    of,
    candidates.map((each) => ({ of: each, row: each.row })),
  );
  const records = candidates.map(({ record }) => record);
  const evidence = { contract: of, judgement, candidates, records, rows, unreadable: [], limited: false };
  return verdictOf({ ...evidence, bronzeHolds: () => true, ...more });
}

const old = candidate(10, settled);
const fresh = candidate(20, landed);

test('Silver holds what wins, or nothing where nothing was accepted', () => {
  expect(verdict([old], [old.row]).state).toBe('agrees');
  expect(verdict([], []).state).toBe('nothing');
  const refused = { ...old.record, made: { refused: { code: 'wrong_type', detail: '', whole: 'record' as const } } };
  expect(verdict([], [], { records: [refused] }).state).toBe('agrees');
});

test('what is not committed is pending; what is and is missing is a fault', () => {
  const committed = candidate(20, settled);
  expect(verdict([old, fresh], [old.row]).state).toBe('pending');
  expect(verdict([fresh], []).state).toBe('pending');
  expect(verdict([old, committed], [old.row]).state).toBe('fault');
  expect(verdict([committed], []).state).toBe('fault');
  // Also where something newer still waits behind it.
  expect(verdict([old, committed, candidate(30, landed)], [old.row]).state).toBe('fault');
  expect(verdict([old], [old.row, old.row]).state).toBe('fault');
});

test('a first version that is not there yet is pending, one that was committed a fault', () => {
  const held = { ...fresh.row };
  expect(verdict([candidate(20, settled), candidate(5, landed)], [held]).state).toBe('pending');
  expect(verdict([candidate(20, settled), candidate(5, settled)], [held]).state).toBe('fault');
});

test('what other contracts made is stale, and other values under the same one are a fault', () => {
  const elsewhere = { ...settled, contract: 'other' };
  expect(verdict([old, candidate(20, elsewhere)], [old.row]).state).toBe('stale');
  expect(verdict([old], [{ ...old.row, magnitude: 9, _contract: 'other' }]).state).toBe('stale');
  expect(verdict([old], [{ ...old.row, magnitude: 9 }]).state).toBe('fault');
  const raised: CompiledContract = { ...contract, rulesVersion: 2 };
  const again = candidate(10, elsewhere, { _rules_version: 2, _record_hash: String(old.row._record_hash) });
  expect(verdict([again], [old.row], { contract: raised })).toMatchObject({ state: 'stale' });
});

test('what Silver holds beyond all that was found is judged by whether it need have been found', () => {
  expect(verdict([old], [fresh.row], { limited: true }).state).toBe('unproven');
  expect(verdict([old], [fresh.row]).state).toBe('fault');
  expect(verdict([], [fresh.row]).state).toBe('fault');
  expect(verdict([old], [{ ...fresh.row, _contract: 'other' }]).state).toBe('stale');
  const broken = {
    object: String(fresh.row._bronze_object),
    code: 'CUP_OBJECT_UNREADABLE',
    detail: '',
    holdsKey: true,
  };
  expect(verdict([old], [fresh.row], { unreadable: [broken] }).state).toBe('stale');
  const refused = { ...fresh.record, made: { refused: { code: 'wrong_type', detail: '', whole: 'record' as const } } };
  expect(verdict([old], [fresh.row], { records: [old.record, refused] }).state).toBe('stale');
  const { unpack } = contractOf('felt_reports');
  expect(verdict([], [fresh.row], { contract: { ...contract, unpack } }).state).toBe('unproven');
});

test('a fingerprint tells which objects of a partition a batch took', () => {
  const objects = ['c', 'a', 'b'].map((name) => ({ name, generation: '1', bytes: 1, partition: 'p' }));
  const manifest = { contractHash: 'h', rulesVersion: 1 };
  const of = (count: number) => ({ manifest, fingerprint: fingerprint(objects.slice(0, count), 'h', 1) });
  expect(heldBy(of(3), objects)).toEqual(new Set(['a', 'b', 'c']));
  expect(heldBy(of(1), objects)).toEqual(new Set(['c']));
  expect(heldBy({ manifest, fingerprint: 'other' }, objects)).toBeUndefined();
  expect(heldBy({ ...of(1), manifest: { ...manifest, rulesVersion: 2 } }, objects)).toBeUndefined();
});
