import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import type { ActivityResources } from '../../../../src/activities/index.ts';
import { planActivities } from '../../../../src/activities/plans.ts';
import { bronzeName, parseBronzeName, partitionOf } from '../../../../src/lakehouse/bronze/index.ts';
import type { LedgerState } from '../../../../src/lakehouse/ledger/index.ts';
import { makePlan } from '../../../../src/lakehouse/planning/plan.ts';
import type { Plan } from '../../../../src/lakehouse/planning/plan.ts';
import {
  PAGE,
  readPlan,
  readPlanChunk,
  readPlanIndex,
  writePlan,
} from '../../../../src/lakehouse/planning/plan-store.ts';
import type { PlanIndex } from '../../../../src/lakehouse/planning/plan-store.ts';
import type { Reprocess } from '../../../../src/lakehouse/planning/selection.ts';
import { earthquakes } from '../../../support/contracts.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';

const contract = earthquakes();
const FEEDS = contract.feeds.map(({ name }) => name);

let memory: MemoryObjects;
beforeEach(() => (memory = new MemoryObjects()));

interface Landed {
  feed: string;
  hour: number;
  bytes: number;
  /** What the ledger knows: nothing, or a failure with words that take more bytes than characters. */
  failed: boolean;
}

const hourOf = (number: number): string => new Date(Date.UTC(2025, 0, 1, number)).toISOString().slice(0, 13);

async function land({ feed, hour, bytes }: Landed, index: number): Promise<string> {
  const sha256 = createHash('sha256').update(String(index)).digest('hex');
  const name = bronzeName({ source: 'earthquakes', feed, hour: hourOf(hour), sha256, extension: 'geojson' });
  await memory.create(`gs://bronze/${name}`, 'x'.repeat(bytes));
  return partitionOf(parseBronzeName(name)!);
}

async function plan(landed: Landed[], chunkBytes: number, reprocess: Reprocess = 'missing'): Promise<Plan> {
  memory = new MemoryObjects();
  const states: LedgerState[] = [];
  for (const [index, of] of landed.entries()) {
    const subject = await land(of, index);
    const detail = { code: 'überfüllt 🗄' };
    if (of.failed)
      states.push({ kind: 'partition', subject, state: 'failed', fingerprint: '', occurredAt: '', detail });
  }
  const range = { from: new Date(Date.UTC(2025, 0, 1)), to: new Date(Date.UTC(2025, 2, 1)) };
  const ledger = { latest: () => Promise.resolve(states) };
  const request = { range, reprocess, order: 'oldest', chunkBytes } as const;
  return makePlan({ store: memory.store, ledger }, { bronze: 'bronze', ops: 'ops' }, contract, request);
}

const landings = fc.array(
  fc.record<Landed>({
    feed: fc.constantFrom(...FEEDS),
    hour: fc.integer({ min: 0, max: 100 }),
    bytes: fc.integer({ min: 0, max: 30 }),
    failed: fc.boolean(),
  }),
  { maxLength: 30 },
);

const words = fc.constantFrom<Reprocess>('missing', 'failed');

test('the chunks by their byte ranges, and after them the rest, are the plan: every partition once', async () => {
  await fc.assert(
    fc.asyncProperty(landings, fc.integer({ min: 1, max: 90 }), words, async (landed, chunkBytes, reprocess) => {
      const { text, index } = await plan(landed, chunkBytes, reprocess);
      const uri = await writePlan(memory.store, 'ops', text, index);
      const { chunks, totals } = await readPlanIndex(memory.store, uri);
      const all = await readPlan(memory.store, uri);
      const pages = await Promise.all(chunks.map((reference) => readPlanChunk(memory.store, uri, reference)));
      const rest = all.slice(pages.flat().length);
      expect([...pages.flat(), ...rest]).toEqual(all);
      expect(rest.every(({ chunk, members }) => chunk === null && !members.length)).toBe(true);
      // The ranges meet, from the first byte on.
      expect(chunks.map(({ start }) => start)).toEqual([0, ...chunks.map(({ end }) => end)].slice(0, chunks.length));
      for (const [number, lines] of pages.entries()) {
        expect(chunks[number]).toMatchObject({ chunk: number, first: lines[0]?.partition, partitions: lines.length });
        expect(lines.every(({ chunk }) => chunk === number)).toBe(true);
        expect(chunks[number]?.bytes).toBe(
          lines.flatMap(({ members }) => members).reduce((sum, of) => sum + of.bytes, 0),
        );
      }
      const present = all.filter(({ objects }) => objects > 0).map(({ partition }) => partition);
      const there = new Set(landed.map(({ feed, hour }) => `${feed}/${hourOf(hour)}`));
      expect(present.toSorted()).toEqual([...there].sort());
      // The totals are those of the lines.
      expect(totals.toProcess.partitions).toBe(pages.flat().length);
      expect(Object.values(totals.byState).reduce((sum, of) => sum + of.partitions, 0)).toBe(all.length);
    }),
    { numRuns: 60 },
  );
});

const hours = (count: number): Landed[] =>
  Array.from({ length: count }, (_, hour) => ({ feed: 'all_hour', hour, bytes: 2, failed: false }));

test('the pages that the workflow reads are all chunks, in order, and an empty one after them', async () => {
  const { text, index } = await plan(hours(2 * PAGE + 1), 1);
  const planUri = await writePlan(memory.store, 'ops', text, index);
  const environment = { buckets: { bronze: 'bronze', ops: 'ops', quarantine: 'quarantine' } };
  const { readPlanPage } = planActivities({ store: memory.store, environment } as unknown as ActivityResources);
  const pages = await Promise.all([0, 1, 2, 3].map((page) => readPlanPage({ planUri, page })));
  expect(pages.map(({ length }) => length)).toEqual([PAGE, PAGE, 1, 0]);
  expect(pages.flat()).toEqual(index.chunks);
});

test('the same plan has the same name whoever makes it; writing it twice changes nothing', async () => {
  const first = await plan(hours(3), 100);
  const second = await plan(hours(3), 100);
  const uri = await writePlan(memory.store, 'ops', first.text, first.index);
  const kept = new Map(memory.objects);
  expect(await writePlan(memory.store, 'ops', second.text, second.index)).toBe(uri);
  expect(memory.objects).toEqual(kept);
  expect(uri).toBe(`gs://ops/plans/${createHash('sha256').update(second.text).digest('hex')}.ndjson`);
  const other = await plan(hours(4), 100);
  expect(await writePlan(memory.store, 'ops', other.text, other.index)).not.toBe(uri);
});

test('the same partitions in other chunks are another plan: their lines are elsewhere', async () => {
  const one = await plan(hours(4), 100);
  const many = await plan(hours(4), 1);
  expect(one.text).not.toBe(many.text);
});

test('a plan that is there can be read: its index is written first', async () => {
  const { text, index } = await plan(hours(3), 100);
  const order: string[] = [];
  const store = { create: (uri: string) => Promise.resolve({ outcome: 'created', uri: order.push(uri) }) };
  const uri = await writePlan(store as unknown as typeof memory.store, 'ops', text, index);
  expect(order.at(-1)).toBe(uri);
  expect(order).toHaveLength(2);
});

async function broken(change: (index: PlanIndex) => string) {
  const { text, index } = await plan(hours(3), 2);
  const uri = await writePlan(memory.store, 'ops', text, index);
  const name = memory.uris.find((of) => of.endsWith('.index.json'))!;
  memory.objects.delete(name);
  await memory.create(name, change(index));
  return { uri, index };
}

test.each([
  ['half written', (index: PlanIndex) => JSON.stringify(index).slice(0, 40)],
  ['empty', () => ''],
  ['null', () => 'null'],
  ['of another version', (index: PlanIndex) => JSON.stringify({ ...index, version: 2 })],
  ['without its chunks', (index: PlanIndex) => JSON.stringify({ ...index, chunks: undefined })],
])('an index that is %s is refused', async (_name, change) => {
  const { uri } = await broken(change);
  await expect(readPlanIndex(memory.store, uri)).rejects.toMatchObject({ code: 'CUP_PLAN_INVALID' });
});

test.each([
  ['cuts a line', { start: 3 }],
  ['reaches over a chunk', { end: 10_000 }],
  ['ends early', { end: 1 }],
  ['names other counts', { partitions: 2 }],
])('a reference that %s is refused: no partition is lost silently', async (_name, wrong) => {
  const { text, index } = await plan(hours(3), 2);
  const uri = await writePlan(memory.store, 'ops', text, index);
  const reference = { ...index.chunks[0]!, ...wrong };
  await expect(readPlanChunk(memory.store, uri, reference)).rejects.toMatchObject({ code: 'CUP_PLAN_INVALID' });
});
