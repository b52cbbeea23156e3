import { beforeEach, expect, test } from 'vitest';
import type { PullFeed } from '../../../src/contracts/index.ts';
import type { LedgerState } from '../../../src/lakehouse/ledger/index.ts';
import { pullChunks } from '../../../src/lakehouse/planning/pull-chunks.ts';
import type { PullKnowledge } from '../../../src/lakehouse/planning/pull-chunks.ts';
import { gapHole, holesOf, judgeRepairs, PullLog, windowsOf } from '../../../src/lakehouse/pull/index.ts';
import { earthquakes } from '../../support/contracts.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';

const contract = earthquakes((yaml) => yaml.replace('windowSeconds: 86400', 'windowSeconds: 21600'));
const feed = contract.feeds.find(({ kind }) => kind === 'pull') as PullFeed;
const at = (text: string): number => Date.parse(`2025-01-0${text}Z`);
const missing = { feed: 'all_hour', from: '2025-01-02T05:00:00.000Z', to: '2025-01-02T08:00:00.000Z', slots: 3 };

let log: PullLog;

beforeEach(() => {
  log = new PullLog(new MemoryObjects().store, 'ops');
});

/** Remembers a window as pulled; `asked`: the order of the answer. */
async function pulled(from: string, to: string, asked: string, run = 'run'): Promise<void> {
  const window = { feed: 'fdsn', from: new Date(at(from)).toISOString(), to: new Date(at(to)).toISOString() };
  await log.writeWindow('earthquakes', { ...window, run, carrierOrder: String(at(asked) * 1000), objects: [] });
}

const stillMissing = async (): Promise<string[]> => {
  const found = await judgeRepairs(log, contract, [missing], []);
  return found.missing.map(({ from, to, slots }) => `${from.slice(11, 13)}-${to.slice(11, 13)} ${slots}`);
};

test('windows begin at multiples of their length, whatever range is asked for', () => {
  const windows = windowsOf(feed, { from: at('2T05:30'), to: at('2T12:01') });
  expect(windows.map(({ from }) => from.slice(11, 13))).toEqual(['00', '06', '12']);
  expect(windowsOf(feed, { from: at('2T06:00'), to: at('2T12:00') })).toHaveLength(1);
});

test('a lost answer would have shown its coverage; where its time is not known, all of its slot and what lies before', () => {
  expect(holesOf(contract, missing).map(({ span }) => span)).toEqual([
    { from: at('2T04:00'), to: at('2T06:00') },
    { from: at('2T05:00'), to: at('2T07:00') },
    { from: at('2T06:00'), to: at('2T08:00') },
  ]);
  expect(gapHole(contract, 'all_day/2025-01-02T05:03:00Z')).toMatchObject({
    partition: 'all_day/2025-01-02T05',
    span: { from: at('1T05:03'), to: at('2T05:03') },
    at: at('2T05:03'),
  });
  expect(gapHole(contract, 'fdsn/2025-01-02T05:03:00Z')).toBeUndefined();
});

test('slots are made good by windows that hold all of what they lost; the rest stays missing', async () => {
  expect(await stillMissing()).toEqual(['05-08 3']);
  await pulled('2T06:00', '2T12:00', '2T09:00');
  expect(await stillMissing()).toEqual(['05-07 2']);
  await pulled('2T00:00', '2T06:00', '2T09:00');
  expect(await stillMissing()).toEqual([]);
});

test('an answer that is older than what was lost makes nothing good', async () => {
  await pulled('2T00:00', '2T06:00', '2T06:30');
  await pulled('2T06:00', '2T12:00', '2T06:30');
  expect(await stillMissing()).toEqual(['06-08 2']);
  await pulled('2T00:00', '2T06:00', '2T08:00', 'later');
  await pulled('2T06:00', '2T12:00', '2T08:00', 'later');
  expect(await stillMissing()).toEqual([]);
});

test('where a gap tells the very time of a lost answer, that time counts', async () => {
  await pulled('2T00:00', '2T06:00', '2T05:20');
  const gap = gapHole(contract, 'all_hour/2025-01-02T05:15:00Z');
  if (!gap) throw new Error('expected a hole');
  const found = await judgeRepairs(log, contract, [missing], [gap]);
  expect(found.gaps).toEqual([gap]);
  expect(found.slots.map(({ hole, by }) => `${hole.partition} ${by}`)).toEqual(['all_hour/2025-01-02T05 fdsn']);
});

test('a feed that a pull does not repair stays open', async () => {
  const other = earthquakes((yaml) => yaml.replace('repairs: [all_hour, ', 'repairs: ['));
  await pulled('2T00:00', '2T06:00', '2T09:00');
  await pulled('2T06:00', '2T12:00', '2T09:00');
  expect((await judgeRepairs(log, other, [missing], [])).missing).toEqual([missing]);
});

const range = { from: new Date(at('2T05:00')), to: new Date(at('2T13:00')) };
const nothing: PullKnowledge = { states: new Map(), known: new Map(), open: [] };
const failed = { state: 'failed', detail: { code: 'CUP_FETCH_FAILED' } } as unknown as LedgerState;
const done = { partition: 'fdsn/2025-01-02T12', state: 'done', why: '', objects: 1, bytes: 5, rows: 2 } as const;

function planned(reprocess: 'missing' | 'failed' | 'stale' | 'all', knowledge: Partial<PullKnowledge> = {}): string[] {
  const chunks = pullChunks(contract, { range, reprocess, order: 'oldest' }, { ...nothing, ...knowledge });
  return chunks.flat().map(({ partition, state, why }) => `${partition.slice(-2)} ${state} ${why}`);
}

test('windows are planned where they would bring what was lost, also before the range; with all, every one of the range', () => {
  const open = holesOf(contract, { ...missing, slots: 2 });
  expect(planned('stale', { open })).toEqual([
    '00 missing would bring all_hour/2025-01-02T05 and 1 more',
    '06 missing would bring all_hour/2025-01-02T06',
  ]);
  expect(planned('stale')).toEqual([]);
  expect(planned('all')).toEqual(['00 missing never pulled', '06 missing never pulled', '12 missing never pulled']);
});

test('a window that failed is taken again, one that is done only with all', () => {
  const known = new Map([['fdsn/2025-01-02T06', failed]]);
  const states = new Map([['fdsn/2025-01-02T12', { ...done, fingerprint: 'f' }]]);
  expect(planned('missing', { known, states })).toEqual([]);
  expect(planned('failed', { known, states })).toEqual(['06 failed CUP_FETCH_FAILED']);
  expect(planned('all', { known, states }).at(-1)).toBe('12 done ');
});

test('a source without a pulled feed cannot be pulled', () => {
  const replayOnly = { ...contract, feeds: contract.feeds.filter(({ kind }) => kind !== 'pull') };
  expect(() => pullChunks(replayOnly, { range, reprocess: 'all', order: 'oldest' }, nothing)).toThrow(
    'CUP_BACKFILL_INPUT',
  );
});

test('the first answer of a request stays: two attempts go on with the same one', async () => {
  const page = { url: 'https://x/?a', object: 'one', records: 1, carrierOrder: '1' };
  expect(await log.writePage('earthquakes', 'fdsn', 'run', page)).toEqual(page);
  expect(await log.writePage('earthquakes', 'fdsn', 'run', { ...page, object: 'two' })).toEqual(page);
  expect(await log.readPage('earthquakes', 'fdsn', 'run', page.url)).toEqual(page);
  expect(await log.readPage('earthquakes', 'fdsn', 'other', page.url)).toBeUndefined();
});
