import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ChunkReference } from '../../../src/lakehouse/planning/plan-store.ts';
import type { ChunkOutcome } from '../../../src/workflows/backfill/messages.ts';
import {
  batchesAreSettled,
  beginState,
  chunkHasEnded,
  hasNext,
  lineUpFailed,
} from '../../../src/workflows/backfill/state.ts';
import type { BackfillState } from '../../../src/workflows/backfill/state.ts';
import { backfillDetails, headline, statusOf } from '../../../src/workflows/backfill/status.ts';
import { planOf } from '../../support/fake-backfill.ts';

const NOW = Date.UTC(2025, 0, 1);
const MINUTE = 60_000;

function begun(chunks: number, perChunk: number): { state: BackfillState; references: ChunkReference[] } {
  const { head, references } = planOf(chunks, perChunk);
  const state = beginState({ from: '2025-01-01T00:00:00Z', to: '2025-02-01T00:00:00Z', maxConcurrency: 4 });
  Object.assign(state, { plan: head, phase: 'running', startedAt: NOW });
  return { state, references };
}

/** As the window does: what is in line again goes first. */
function startNext(state: BackfillState, references: ChunkReference[]): ChunkReference | undefined {
  if (!hasNext(state)) return undefined;
  const reference = state.retries.shift() ?? references[state.cursor++]!;
  state.running.push({ workflowId: `chunk-${reference.chunk}`, reference });
  return reference;
}

const outcomeOf = (chunk: number, of: Partial<ChunkOutcome> = {}): ChunkOutcome => ({
  chunk,
  state: of.failed ? 'failed' : 'processed',
  batches: [],
  done: 0,
  failed: 0,
  failures: [],
  ...of,
});

const NO_REFUSALS = new Map<string, string>();
const status = (state: BackfillState, now = NOW + MINUTE) => statusOf('s', state, now);

// The model: what a person would write on a wall, partition by partition.

interface Wall {
  reference: ChunkReference;
  place: 'open' | 'running' | 'ended';
  done: number;
  failed: number;
  /** Batches that nobody has answered yet. */
  waiting: Map<string, number>;
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);

function shownBy(wall: Wall[]) {
  const waiting = (of: Wall): number => sum([...of.waiting.values()]);
  const at = (place: Wall['place']): Wall[] => wall.filter((of) => of.place === place);
  const all = (of: Wall[]): number => sum(of.map(({ reference }) => reference.partitions));
  const well = at('ended').filter(({ failed }) => !failed);
  const done = well.filter(({ waiting: of }) => !of.size);
  return {
    partitions: {
      total: all(wall),
      done: sum(wall.map((of) => of.done)),
      failed: sum(wall.map((of) => of.failed)),
      running: all(at('running')) + sum(wall.map(waiting)),
      remaining: all(at('open')),
    },
    chunks: {
      total: wall.length,
      done: done.length,
      failed: at('ended').length - well.length,
      running: at('running').length,
      committing: well.length - done.length,
      remaining: at('open').length,
    },
    bytes: sum(done.map(({ reference }) => reference.bytes)),
  };
}

interface Step {
  what: 'start' | 'end' | 'end again' | 'cancel' | 'settle' | 'refuse' | 'retry';
  which: number;
  cut: number;
}

const steps = fc.array(
  fc.record<Step>({
    what: fc.constantFrom('start', 'start', 'end', 'end', 'end again', 'cancel', 'settle', 'settle', 'refuse', 'retry'),
    which: fc.nat(1_000),
    cut: fc.nat(1_000),
  }),
  { minLength: 1, maxLength: 80 },
);

/** A backfill and its wall, moved together. */
class Simulation {
  readonly wall: Wall[];
  readonly state: BackfillState;
  readonly references: ChunkReference[];
  readonly told: ChunkOutcome[] = [];
  rows = 0;
  #batches = 0;

  constructor(chunks: number, perChunk: number) {
    const { state, references } = begun(chunks, perChunk);
    this.state = state;
    this.references = references;
    this.wall = references.map((reference) => ({ reference, place: 'open', done: 0, failed: 0, waiting: new Map() }));
  }

  #one<T>(of: T[], which: number): T | undefined {
    return of[which % Math.max(1, of.length)];
  }

  step({ what, which, cut }: Step): void {
    if (what === 'start') this.start();
    else if (what === 'end again') this.endAgain(which);
    else if (what === 'retry') this.retry();
    else if (what === 'settle' || what === 'refuse') this.answer(which, what === 'settle');
    else this.end(which, cut, what === 'cancel');
  }

  start(): void {
    const reference = startNext(this.state, this.references);
    if (reference) this.wall[reference.chunk]!.place = 'running';
  }

  /** Its partitions fall into what was done before, what failed, and up to two batches. */
  end(which: number, cut: number, cancelled = false): void {
    const of = this.#one(
      this.wall.filter(({ place }) => place === 'running'),
      which,
    );
    if (!of) return;
    const { chunk, partitions } = of.reference;
    const parts = [0, 0, 0, 0];
    for (let partition = 0; partition < partitions; partition += 1) parts[(cut >> (2 * partition)) % 4]! += 1;
    const [done = 0, failed = 0, ...rest] = cancelled ? [0, partitions] : parts;
    of.waiting = new Map(rest.filter((size) => size).map((size) => [`b${(this.#batches += 1)}`, size]));
    Object.assign(of, { place: 'ended', done, failed });
    const batches = [...of.waiting].map(([batchId, size]) => ({ batchId, partitions: size }));
    const outcome = cancelled ? outcomeOf(chunk, { state: 'cancelled' }) : outcomeOf(chunk, { done, failed, batches });
    this.told.push(outcome);
    chunkHasEnded(this.state, structuredClone(outcome));
  }

  /** A signal that comes twice, or one that the sweep has told already. */
  endAgain(which: number): void {
    const outcome = this.#one(
      this.told.filter(({ chunk }) => this.wall[chunk]?.place !== 'running'),
      which,
    );
    if (outcome) chunkHasEnded(this.state, structuredClone(outcome));
  }

  answer(which: number, well: boolean): void {
    const pending = this.#one(
      this.state.pending.flatMap(({ batches }) => batches),
      which,
    );
    if (!pending) return;
    const { batchId, partitions } = pending;
    if (well) batchesAreSettled(this.state, new Map([[batchId, 3]]), NO_REFUSALS);
    else batchesAreSettled(this.state, new Map(), new Map([[batchId, 'CUP_DELTA_INVALID']]));
    if (well) this.rows += 3;
    // One that was put in line again meanwhile counts by its next attempt.
    const of = this.wall.find(({ waiting }) => waiting.has(batchId));
    if (!of) return;
    of.waiting.delete(batchId);
    of[well ? 'done' : 'failed'] += partitions;
  }

  retry(): void {
    const failed = this.wall.filter((of) => of.place === 'ended' && of.failed);
    expect(lineUpFailed(this.state)).toBe(failed.length);
    for (const of of failed) Object.assign(of, { place: 'open', done: 0, failed: 0, waiting: new Map() });
  }

  check(): void {
    const shown = status(this.state);
    const { partitions, chunks, bytes } = shownBy(this.wall);
    expect(shown.partitions).toEqual(partitions);
    expect(shown.chunks).toEqual(chunks);
    expect(shown.bytes.done).toBe(bytes);
    expect(shown.rows).toBe(this.rows);
    const { total, ...parts } = shown.partitions;
    expect(sum(Object.values(parts))).toBe(total);
    expect(Math.min(...Object.values(shown.partitions), ...Object.values(shown.chunks))).toBeGreaterThanOrEqual(0);
  }

  /** Runs the rest without any failure. */
  finish(): void {
    const over = (): boolean => !hasNext(this.state) && !this.state.running.length && !this.state.pending.length;
    do {
      this.retry();
      while (!over()) {
        this.start();
        this.end(0, 0b1010_1010_1010);
        this.answer(0, true);
      }
    } while (this.wall.some(({ failed }) => failed));
  }
}

test('counts are those of a wall on which every partition is moved by hand, in any order of events', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), steps, (chunks, perChunk, all) => {
      const simulation = new Simulation(chunks, perChunk);
      for (const step of all) {
        simulation.step(step);
        simulation.check();
      }
      simulation.finish();
      simulation.check();
      const { partitions, chunks: shown, bytes } = status(simulation.state);
      expect([partitions.done, shown.done, bytes.done]).toEqual([partitions.total, shown.total, bytes.total]);
    }),
    { numRuns: 500 },
  );
});

test('a chunk that ends is counted once however often it is told, and one that never ran not at all', () => {
  const { state, references } = begun(2, 3);
  startNext(state, references);
  const outcome = outcomeOf(0, { done: 1, failed: 1, batches: [{ batchId: 'b', partitions: 1 }] });
  chunkHasEnded(state, outcomeOf(1, { done: 3 }));
  expect(state.counts.partitionsDone).toBe(0);
  chunkHasEnded(state, structuredClone(outcome));
  const once = structuredClone(state);
  chunkHasEnded(state, structuredClone(outcome));
  chunkHasEnded(state, outcomeOf(0, { state: 'cancelled' }));
  expect(state).toEqual(once);
  batchesAreSettled(state, new Map([['b', 5]]), NO_REFUSALS);
  const settled = structuredClone(state);
  batchesAreSettled(state, new Map([['b', 5]]), NO_REFUSALS);
  expect(state).toEqual(settled);
  expect(state.counts).toMatchObject({ partitionsDone: 2, partitionsFailed: 1, rows: 5, chunksDone: 0 });
});

test('a failed chunk that is in line again while a part of it is committed counts by its next attempt alone', () => {
  const { state, references } = begun(1, 10);
  startNext(state, references);
  chunkHasEnded(state, outcomeOf(0, { failed: 2, batches: [{ batchId: 'a', partitions: 8 }] }));
  expect(status(state)).toMatchObject({
    partitions: { done: 0, failed: 2, running: 8, remaining: 0 },
    chunks: { failed: 1, committing: 0, remaining: 0 },
  });
  lineUpFailed(state);
  expect(status(state).partitions).toMatchObject({ done: 0, failed: 0, running: 0, remaining: 10 });
  startNext(state, references);
  batchesAreSettled(state, new Map(), new Map([['a', 'CUP_DELTA_INVALID']]));
  chunkHasEnded(state, outcomeOf(0, { batches: [{ batchId: 'b', partitions: 10 }] }));
  batchesAreSettled(state, new Map([['b', 1]]), NO_REFUSALS);
  expect(status(state)).toMatchObject({
    partitions: { done: 10, failed: 0, remaining: 0 },
    chunks: { done: 1, failed: 0, remaining: 0 },
  });
});

test('only the last 50 failures are kept, each with the workflow that tells the rest; a retry forgets them', () => {
  const { state, references } = begun(4, 20);
  for (const { chunk } of references) {
    startNext(state, references);
    const failures = Array.from({ length: 20 }, (_, number) => ({ partition: `p${chunk}-${number}`, code: 'c' }));
    chunkHasEnded(state, outcomeOf(chunk, { failed: 20, failures }));
  }
  const { failures, partitions } = status(state);
  expect(partitions.failed).toBe(80);
  expect(failures).toHaveLength(50);
  expect(failures[0]).toEqual({ partition: 'p1-10', code: 'c', workflowId: 'chunk-1' });
  expect(failures.at(-1)).toEqual({ partition: 'p3-19', code: 'c', workflowId: 'chunk-3' });
  lineUpFailed(state);
  expect(status(state).failures).toEqual([]);
});

test('a batch that the committer refuses fails its partitions and says why; the rest of its chunk is done', () => {
  const { state, references } = begun(1, 5);
  startNext(state, references);
  const batches = [
    { batchId: 'a', partitions: 2 },
    { batchId: 'b', partitions: 3 },
  ];
  chunkHasEnded(state, outcomeOf(0, { batches }));
  batchesAreSettled(state, new Map([['b', 30]]), new Map([['a', 'CUP_DELTA_INVALID']]));
  expect(state.pending).toEqual([]);
  expect(status(state)).toMatchObject({ partitions: { done: 3, failed: 2 }, chunks: { done: 0, failed: 1 }, rows: 30 });
  expect(state.failures).toEqual([
    { partition: references[0]?.first, code: 'CUP_DELTA_INVALID', workflowId: 'chunk-0' },
  ]);
});

test('rate and time left are of the time worked: pauses do not count, and nothing is said before the first is done', () => {
  const { state, references } = begun(10, 10);
  expect(status(state, NOW + 5 * MINUTE)).toMatchObject({ ratePerMinute: null, etaSeconds: null });
  for (const chunk of [0, 1]) {
    startNext(state, references);
    chunkHasEnded(state, outcomeOf(chunk, { done: 10 }));
  }
  // 20 in 10 minutes: 80 are left.
  const tenMinutes = { ratePerMinute: 2, etaSeconds: 40 * 60 };
  expect(status(state, NOW + 10 * MINUTE)).toMatchObject(tenMinutes);
  state.paused = { reason: 'r', at: NOW + 10 * MINUTE };
  expect(status(state, NOW + 60 * MINUTE)).toMatchObject(tenMinutes);
  delete state.paused;
  state.pausedMs = 50 * MINUTE;
  expect(status(state, NOW + 60 * MINUTE)).toMatchObject(tenMinutes);
  // What failed is not waited for; what runs is.
  startNext(state, references);
  chunkHasEnded(state, outcomeOf(2, { failed: 10 }));
  startNext(state, references);
  expect(status(state, NOW + 60 * MINUTE)).toMatchObject({ ratePerMinute: 2, etaSeconds: 35 * 60 });
});

test('nothing is left when all is done', () => {
  const { state, references } = begun(1, 4);
  startNext(state, references);
  chunkHasEnded(state, outcomeOf(0, { done: 4 }));
  expect(status(state)).toMatchObject({ ratePerMinute: 4, etaSeconds: 0, bytes: { total: 4_000, done: 4_000 } });
});

test('before the plan there are no numbers to divide by', () => {
  const state = beginState({ from: 'f', to: 't', maxConcurrency: 4 });
  expect(status(state)).toMatchObject({ phase: 'planning', plan: null, ratePerMinute: null, etaSeconds: null });
});

test('what stands first says what to type', () => {
  const { state, references } = begun(1, 2);
  startNext(state, references);
  chunkHasEnded(state, outcomeOf(0, { failed: 2, failures: [{ partition: 'p', code: 'CUP_OBJECT_UNREADABLE' }] }));
  expect(headline(status(state), 'id')).toBe('running; 2 FAILED. Type `cupel backfill retry id`');
  const details = backfillDetails(status(state), 'id', 'default');
  expect(details).toContain('| [p](/namespaces/default/workflows/chunk-0) | CUP_OBJECT_UNREADABLE |');
  state.paused = { reason: 'lunch', at: NOW };
  expect(headline(status(state), 'id')).toBe('PAUSED: lunch. Type `cupel backfill resume id`');
  delete state.paused;
  state.phase = 'awaiting approval';
  state.audit = { table: 't__audit_1', dataset: 'gold_audit_1', checks: 'passed' };
  expect(headline(status(state), 'id')).toMatch(/t__audit_1.*gold_audit_1.*backfill approve id.*backfill reject id/);
});
