import { expect, test } from 'vitest';
import type { CompiledContract } from '../../../../src/contracts/index.ts';
import { missingRuns, partitionsOf } from '../../../../src/lakehouse/bronze/index.ts';
import type { MissingRun, Partition } from '../../../../src/lakehouse/bronze/index.ts';
import type { ChunkObject } from '../../../../src/lakehouse/deltas/index.ts';
import type { LedgerState } from '../../../../src/lakehouse/ledger/index.ts';
import { makePlan } from '../../../../src/lakehouse/planning/plan.ts';
import { emptySlots, gapsByPartition, partitionStates } from '../../../../src/lakehouse/planning/partition-states.ts';
import { earthquakes } from '../../../support/contracts.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';

const today = earthquakes();
const otherRules = earthquakes((yaml) =>
  yaml.replace('property: rulesVersion, value: 1', 'property: rulesVersion, value: 2'),
);
const otherContract = earthquakes((yaml) => yaml.replace('maxShare: 0.01', 'maxShare: 0.5'));
const NONE = new Map<string, LedgerState>();

const objectsOf = (partition: string, ...names: string[]): ChunkObject[] =>
  names.map((name) => ({ name: `${partition}/${name}`, generation: '1', bytes: 10, partition }));

const partitionOf = (contract: CompiledContract, objects: ChunkObject[]): Partition =>
  partitionsOf(contract, objects)[0]!;

function known(subject: string, state: string, of: Partial<LedgerState> = {}): LedgerState {
  return { kind: 'partition', subject, state, fingerprint: '', occurredAt: '2025-01-01T00:00:00Z', detail: {}, ...of };
}

/** What the ledger says of a partition that was committed under a contract. */
function committed(contract: CompiledContract, objects: ChunkObject[], recordsIn = 7): LedgerState {
  const { partition, fingerprint } = partitionOf(contract, objects);
  const detail = { contractHash: contract.hash, rulesVersion: contract.rulesVersion, recordsIn };
  return known(partition, 'done', { fingerprint, detail });
}

const gapOf = (partition: string, object = 'late.geojson'): LedgerState =>
  known(`${partition}:00:00.000Z`, 'gap', { kind: 'gap', detail: { object } });

/** The one partition as it is planned today. */
function planned(objects: ChunkObject[], before?: LedgerState, gaps: LedgerState[] = []) {
  const of = partitionOf(today, objects);
  const states = before ? new Map([[of.partition, before]]) : NONE;
  const [line] = partitionStates(today, [of], states, gapsByPartition(gaps));
  return line!;
}

const HOUR = 'all_hour/2025-01-01T03';
const two = objectsOf(HOUR, 'a', 'b');
const one = objectsOf(HOUR, 'a');

test('what the ledger does not know is missing, and says what lies there', () => {
  expect(planned(two)).toEqual({
    partition: HOUR,
    state: 'missing',
    why: 'never processed',
    objects: 2,
    bytes: 20,
    rows: null,
    fingerprint: partitionOf(today, two).fingerprint,
  });
});

test('what was committed as it lies there is done, in whatever order it is listed', () => {
  expect(planned(two.toReversed(), committed(today, two))).toMatchObject({ state: 'done', why: '', rows: 7 });
});

test('what is stale says exactly what differs: objects, contract, or rules, which are a part of the contract', () => {
  const whyOf = (contract: CompiledContract, objects: ChunkObject[]) => {
    const { state, why } = planned(two, committed(contract, objects));
    return `${state}: ${why}`;
  };
  expect(whyOf(today, two)).toBe('done: ');
  expect(whyOf(today, one)).toBe('stale: objects');
  expect(whyOf(otherContract, two)).toBe('stale: contract');
  expect(whyOf(otherContract, one)).toBe('stale: objects, contract');
  expect(whyOf(otherRules, two)).toBe('stale: rules');
  expect(whyOf(otherRules, one)).toBe('stale: objects, rules');
});

test('an object that was written anew under its old name makes its partition stale', () => {
  const rewritten = two.map((object) => ({ ...object, generation: '2' }));
  expect(planned(rewritten, committed(today, two))).toMatchObject({ state: 'stale', why: 'objects' });
});

test('an entry that does not say what it was made of is stale all the same', () => {
  const { fingerprint } = partitionOf(today, one);
  expect(planned(two, known(HOUR, 'done', { fingerprint }))).toMatchObject({
    state: 'stale',
    why: 'fingerprint',
    rows: null,
  });
});

test('one that failed stays failed with its code, also when its objects have changed since', () => {
  const failed = known(HOUR, 'failed', { ...partitionOf(today, one), detail: { code: 'CUP_OBJECT_UNREADABLE' } });
  for (const objects of [one, two])
    expect(planned(objects, failed)).toMatchObject({ state: 'failed', why: 'CUP_OBJECT_UNREADABLE' });
  expect(planned(one, known(HOUR, 'failed')).why).toBe('unknown');
});

test('a gap shows where nothing worse is to be said', () => {
  const gaps = [gapOf(HOUR)];
  expect(planned(two, committed(today, two), gaps)).toMatchObject({
    state: 'gap',
    why: 'a late answer landed as late.geojson',
  });
  expect(planned(two, undefined, gaps).state).toBe('missing');
  expect(planned(two, committed(today, one), gaps).state).toBe('stale');
  expect(planned(two, known(HOUR, 'failed'), gaps).state).toBe('failed');
  // It was found since.
  expect(planned(two, committed(today, two), [{ ...gapOf(HOUR), state: 'found' }]).state).toBe('done');
});

test('a gap belongs to the hour of its nominal time, of its feed only', () => {
  const gaps = gapsByPartition([{ ...gapOf(HOUR), subject: 'all_day/2025-01-01T03:59:59.999Z' }]);
  expect([...gaps.keys()]).toEqual(['all_day/2025-01-01T03']);
});

const run = (from: number, slots: number, width = 1): MissingRun => ({
  feed: width === 1 ? 'all_hour' : 'all_day',
  from: new Date(Date.UTC(2025, 0, 1, from)).toISOString(),
  to: new Date(Date.UTC(2025, 0, 1, from + slots * width)).toISOString(),
  slots,
});
const hour = (number: number, feed = 'all_hour') =>
  `${feed}/${new Date(Date.UTC(2025, 0, 1, number)).toISOString().slice(0, 13)}`;
const slotsOf = (missing: MissingRun, ...gaps: string[]) =>
  emptySlots([missing], gapsByPartition(gaps.map((of) => gapOf(of)))).map(({ partition, state, why }) => [
    partition,
    state,
    why,
  ]);

test('slots without an object are missing, one line for a run of them', () => {
  expect(slotsOf(run(4, 1))).toEqual([[hour(4), 'missing', 'no object: one slot']]);
  expect(slotsOf(run(4, 3))).toEqual([[hour(4), 'missing', 'no object: 3 slots until 2025-01-01T07']]);
});

test('a gap inside a run of missing slots is told as a gap, and only that slot', () => {
  const late = 'a late answer landed as late.geojson';
  expect(slotsOf(run(4, 1), hour(4))).toEqual([[hour(4), 'gap', late]]);
  expect(slotsOf(run(4, 3), hour(4))).toEqual([
    [hour(4), 'gap', late],
    [hour(5), 'missing', 'no object: 2 slots until 2025-01-01T07'],
  ]);
  expect(slotsOf(run(4, 4), hour(6))).toEqual([
    [hour(4), 'missing', 'no object: 2 slots until 2025-01-01T06'],
    [hour(6), 'gap', late],
    [hour(7), 'missing', 'no object: one slot'],
  ]);
  expect(slotsOf(run(4, 2), hour(4), hour(5)).map(([, state]) => state)).toEqual(['gap', 'gap']);
  // A slot of six hours, its poll at any hour of it.
  expect(slotsOf(run(6, 2, 6), hour(13, 'all_day'))).toEqual([
    [hour(6, 'all_day'), 'missing', 'no object: one slot'],
    [hour(12, 'all_day'), 'gap', late],
  ]);
});

const at = (number: number) => new Date(Date.UTC(2025, 0, 1, number));
const request = { range: { from: at(0), to: at(24) }, reprocess: 'stale', order: 'oldest', chunkBytes: 1_000 } as const;

/** A plan over hours of `all_hour` that hold one object each. */
async function planOver(hours: number[], states: (objects: Map<number, ChunkObject[]>) => LedgerState[]) {
  const memory = new MemoryObjects();
  const objects = new Map<number, ChunkObject[]>();
  for (const number of hours) {
    const name = `earthquakes/all_hour/dt=2025-01-01/hr=${String(number).padStart(2, '0')}/${'a'.repeat(64)}.geojson`;
    await memory.create(`gs://bronze/${name}`, 'x');
    objects.set(number, [{ name, generation: '1', bytes: 1, partition: hour(number) }]);
  }
  const all = states(objects);
  const ledger = { latest: () => Promise.resolve(all) };
  return makePlan({ store: memory.store, ledger }, { bronze: 'bronze', ops: 'ops' }, today, request);
}

test('a gap between done partitions is told and nothing is processed for it', async () => {
  const { lines, index } = await planOver([3, 5, 9], (objects) => [
    ...[3, 5, 9].map((number) => committed(today, objects.get(number)!)),
    gapOf(hour(4)),
  ]);
  expect(lines.map(({ partition, state, chunk }) => [partition, state, chunk])).toEqual([
    [hour(3), 'done', null],
    [hour(5), 'done', null],
    [hour(9), 'done', null],
    [hour(4), 'gap', null],
    [hour(6), 'missing', null],
  ]);
  expect(index.totals).toMatchObject({
    chunks: 0,
    missingSlots: 4,
    toProcess: { partitions: 0, objects: 0, bytes: 0 },
  });
  expect(index.totals.byState).toMatchObject({ done: { partitions: 3, objects: 3, bytes: 3 }, gap: { partitions: 1 } });
});

test('nothing in Bronze: nothing is planned, whatever the ledger remembers', async () => {
  const { lines, text, index } = await planOver([], () => [committed(today, one), gapOf(HOUR)]);
  expect([lines, text, index.chunks]).toEqual([[], '', []]);
  expect(index.totals).toMatchObject({ chunks: 0, missingSlots: 0, toProcess: { partitions: 0 } });
});

test('a feed that is polled more often than hourly misses whole hours, since folders tell no more', () => {
  const often = { ...today, feeds: [{ ...today.feeds[0]!, intervalSeconds: 600 }] };
  const runs = missingRuns(
    often,
    ['00', '01', '04'].map((hour) => ({ partition: `all_hour/2025-01-01T${hour}` })),
  );
  expect(runs).toEqual([
    { feed: 'all_hour', from: '2025-01-01T02:00:00.000Z', to: '2025-01-01T04:00:00.000Z', slots: 2 },
  ]);
});
