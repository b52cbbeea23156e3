import { expect, test } from 'vitest';
import { commitWaiting, STREAMED_AGE_MS, sweepOps } from '../../../src/lakehouse/committer/index.ts';
import type { CommitterResources, SweptOps } from '../../../src/lakehouse/committer/index.ts';
import { DeltaStore } from '../../../src/lakehouse/deltas/index.ts';
import { rebuildLedger } from '../../../src/lakehouse/ledger/index.ts';
import type { Ledger } from '../../../src/lakehouse/ledger/index.ts';
import type { ObjectStore } from '../../../src/lakehouse/object-store.ts';
import { StreamLog } from '../../../src/lakehouse/streams/index.ts';
import { contractOf } from '../../support/contracts.ts';
import { memoryLedger } from '../../support/memory-ledger.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';
import { addBatch, idOf, spanAt } from '../../support/streamed-batches.ts';
import type { NamedBatch } from '../../support/streamed-batches.ts';

const DAY = 24 * 3_600_000;
const NOW = Date.UTC(2025, 5, 1, 3, 30);
const CONTRACT = contractOf('felt_reports');
const SOURCE = CONTRACT.source;
const TABLE = `${CONTRACT.sink.namespace}.${CONTRACT.sink.table}`;

interface Ops {
  memory: MemoryObjects;
  deltas: DeltaStore;
}

type Aged = Omit<NamedBatch, 'table' | 'source' | 'publishedMs' | 'settledMs'> & {
  /** Days since it was published, and settled a minute later. */
  days: number;
  settled?: boolean;
};

/** An ops bucket with these batches. */
async function opsOf(batches: Aged[], groups: Record<string, string[]> = {}): Promise<Ops> {
  const memory = new MemoryObjects();
  const deltas = new DeltaStore(memory.store, 'ops');
  for (const { days, settled = true, ...of } of batches) {
    const publishedMs = NOW - days * DAY;
    const settledMs = settled ? { settledMs: publishedMs + 60_000 } : {};
    await addBatch(memory, { ...of, table: TABLE, source: SOURCE, publishedMs, ...settledMs });
  }
  for (const [groupId, names] of Object.entries(groups))
    await deltas.writeGroup({ groupId, table: TABLE, batchIds: names.map(idOf) });
  return { memory, deltas };
}

function sweep({ memory, deltas }: Ops, kept: string[] = [], nowMs = NOW, store = memory.store): Promise<SweptOps> {
  const resources = { store, deltas, opsBucket: 'ops', keptGroups: new Set(kept), nowMs };
  return sweepOps(resources, { table: TABLE, source: SOURCE });
}

const NAMES = ['old', 'old2', 'older', 'mid', 'young', 'open', 'batch', 'kept', 'late'];

/** What is left of each batch, by name: `files`, `manifest`, `done`. */
function left({ memory }: Ops): Record<string, string> {
  const prefix = `gs://ops/_deltas/${TABLE}/`;
  const names = memory.uris.filter((uri) => uri.startsWith(prefix)).map((uri) => uri.slice(prefix.length));
  const found = NAMES.map((name) => {
    const id = idOf(name);
    const files = names.filter((of) => of.startsWith(`${id}/`)).length;
    const has = (of: string, what: string): string[] => (names.includes(of) ? [what] : []);
    return [name, [`${files} files`, ...has(`${id}.json`, 'manifest'), ...has(`${id}.done.json`, 'done')].join(' ')];
  });
  return Object.fromEntries(found.filter(([, what]) => what !== '0 files')) as Record<string, string>;
}

const FULL = '2 files manifest done';

test('deltas of a settled streamed batch go after days, the rest of it after weeks; nothing of another goes', async () => {
  const ops = await opsOf(
    [
      { name: 'old', days: 47, groupId: 'g1' },
      { name: 'mid', days: 44 },
      { name: 'young', days: 2 },
      { name: 'open', days: 400, settled: false },
      { name: 'batch', days: 400, streamed: false, groupId: 'g2' },
      { name: 'kept', days: 400, groupId: 'g3' },
    ],
    { g1: ['old'], g2: ['batch'], g3: ['kept'] },
  );
  expect(await sweep(ops, ['g3'])).toEqual({ plans: 0, chunks: 0, deltas: 6, streamed: 1, groups: 1 });
  expect(left(ops)).toEqual({
    mid: '0 files manifest done',
    young: FULL,
    open: '2 files manifest',
    batch: FULL,
    kept: '0 files manifest done',
  });
  expect(await ops.deltas.readGroup(TABLE, 'g1')).toBeUndefined();
  expect(await ops.deltas.readGroup(TABLE, 'g2')).toBeDefined();
  expect(await ops.deltas.readGroup(TABLE, 'g3')).toBeDefined();
  expect(await sweep(ops)).toMatchObject({ deltas: 0, streamed: 1, groups: 1 }); // its snapshot has expired
  expect(await sweep(ops)).toEqual({ plans: 0, chunks: 0, deltas: 0, streamed: 0, groups: 0 });
});

test('a message may come again for 31 days: the batch that it would be has its outcome for longer', () => {
  expect(STREAMED_AGE_MS).toBeGreaterThan(31 * DAY + 8 * DAY);
});

test('the list of a group goes with the last of its batches, and never while one of no stream is in it', async () => {
  const midnight = 47 + 3.5 / 24; // one of the two is settled a minute after it
  const ops = await opsOf(
    [
      { name: 'old', days: midnight + 2 / 1440, groupId: 'g1' },
      { name: 'late', days: midnight, groupId: 'g1' },
      { name: 'old2', days: 47, groupId: 'g2' },
      { name: 'batch', days: 47, groupId: 'g2', streamed: false },
    ],
    { g1: ['old', 'late'], g2: ['old2', 'batch'] },
  );
  expect(await sweep(ops, [], NOW - 2 * DAY)).toMatchObject({ streamed: 1, groups: 0 });
  expect(left(ops)).toMatchObject({ late: '0 files manifest done', batch: FULL });
  expect(await sweep(ops)).toMatchObject({ streamed: 2, groups: 1 });
  expect(await ops.deltas.readGroup(TABLE, 'g1')).toBeUndefined();
  expect(await ops.deltas.readGroup(TABLE, 'g2')).toBeDefined();
});

test('a batch that the log still names stays, unless it is over', async () => {
  const ops = await opsOf([
    { name: 'old', days: 60 },
    { name: 'old2', days: 60 },
  ]);
  const log = new StreamLog(ops.memory.store, 'ops', SOURCE);
  const entry = { table: TABLE, contractUri: 'gs://ops/c', at: new Date(NOW - 60 * DAY).toISOString() };
  for (const name of ['old', 'old2']) await log.append({ batchId: idOf(name), ...entry, ...spanAt(NOW - 60 * DAY) }, 1);
  await log.close(2);
  expect(await sweep(ops)).toMatchObject({ streamed: 1 });
  expect(left(ops)).toEqual({ old: '0 files manifest done' });
});

/** Every event of a ledger that is made anew. */
async function ledgerOf({ deltas }: Ops) {
  const ledger = memoryLedger();
  await rebuildLedger(ledger as Ledger, deltas, SOURCE, TABLE);
  const states = await ledger.latest(SOURCE, ['batch', 'quarantine', 'partition']);
  return states.sort((a, b) => (`${a.kind} ${a.subject}` < `${b.kind} ${b.subject}` ? -1 : 1));
}

const SOME: Aged[] = [
  { name: 'old', days: 47, groupId: 'g1' },
  { name: 'old2', days: 47.1, groupId: 'g1' },
  { name: 'older', days: 48, groupId: 'g2' },
  { name: 'mid', days: 20 },
  { name: 'open', days: 60, settled: false },
  { name: 'batch', days: 60, streamed: false, groupId: 'g2' },
];
const SOME_GROUPS = { g1: ['old', 'old2'], g2: ['older', 'batch'] };

test('the ledger is made anew from the rolls as it was made from the batches', async () => {
  const ops = await opsOf(SOME, SOME_GROUPS);
  const before = await ledgerOf(ops);
  expect(before).toHaveLength(2 * 5);
  await sweep(ops);
  expect(await ledgerOf(ops)).toEqual(before);
  const rolls = await ops.deltas.listRolls(TABLE);
  expect(rolls.map(({ day }) => day)).toEqual(['2025-04-14', '2025-04-15']);
});

class Crash extends Error {}

/** A store that dies before its n-th write or deletion, and all after it. */
function dying({ memory }: Ops, writes: number): { store: ObjectStore; deltas: DeltaStore; died: () => boolean } {
  let left = writes;
  const guarded = new Set(['create', 'delete', 'replace']);
  const store = new Proxy(memory.store, {
    get(target, name: keyof ObjectStore) {
      const method = (target[name] as (...given: unknown[]) => unknown).bind(target);
      if (!guarded.has(name)) return method;
      return (...given: unknown[]) => {
        if (left <= 0) return Promise.reject(new Crash());
        left -= 1;
        return method(...given);
      };
    },
  });
  return { store, deltas: new DeltaStore(store, 'ops'), died: () => left <= 0 };
}

/** Of every batch the committer is asked once more: what is settled is answered, and never merged. */
async function resubmit({ memory, deltas }: Ops): Promise<void> {
  const catalog = {} as CommitterResources['catalog']; // to open a table would throw
  for (const { name } of SOME.filter(({ settled = true }) => settled)) {
    if (!(await deltas.readDone(TABLE, idOf(name)))) continue;
    const resources = { catalog, store: memory.store, deltas, silverBucket: 'silver' };
    expect(await commitWaiting(resources, CONTRACT, [idOf(name)])).toMatchObject([{ outcome: 'committed' }]);
  }
}

test('after a crash at any write nothing looks as if it waited, and the next sweep ends where one without a crash does', async () => {
  const whole = await opsOf(SOME, SOME_GROUPS);
  await sweep(whole);
  const [end, ledger] = [left(whole), await ledgerOf(whole)];
  let crashes = 0;
  for (let writes = 0; ; writes += 1) {
    const ops = await opsOf(SOME, SOME_GROUPS);
    const { store, deltas } = dying(ops, writes);
    const crashed = await sweep({ ...ops, deltas }, [], NOW, store).then(
      () => false,
      (error: unknown) => error instanceof Crash,
    );
    expect(await ops.deltas.listWaiting(TABLE)).toMatchObject([{ batchId: idOf('open') }]);
    for (const { name } of SOME) {
      const manifest = await ops.deltas.readManifest(TABLE, idOf(name));
      const files = manifest?.files.filter(({ uri }) => !ops.memory.uris.includes(uri)) ?? [];
      const done = await ops.deltas.readDone(TABLE, idOf(name));
      expect(!done && files.length > 0, `${name} after ${writes} writes`).toBe(false);
    }
    expect(await ledgerOf(ops), `${writes} writes`).toEqual(ledger);
    await resubmit(ops);
    await sweep(ops);
    expect(left(ops), `${writes} writes`).toEqual(end);
    expect(await ledgerOf(ops)).toEqual(ledger);
    expect(await ops.deltas.readGroup(TABLE, 'g1')).toBeUndefined();
    expect(await sweep(ops)).toMatchObject({ deltas: 0, streamed: 0, groups: 0 });
    if (!crashed) break;
    crashes += 1;
  }
  // Delta files of four batches, two rolls, a group, three manifests and three outcomes.
  expect(crashes).toBe(8 + 2 + 1 + 3 + 3);
});

test('two sweeps at once do what one does', async () => {
  const ops = await opsOf(SOME, SOME_GROUPS);
  const before = await ledgerOf(ops);
  await Promise.all([sweep(ops), sweep(ops)]);
  expect(left(ops)).toEqual({ mid: '0 files manifest done', open: '2 files manifest', batch: FULL });
  expect(await ledgerOf(ops)).toEqual(before);
});

test('a sweep that works on an old listing takes nothing of a batch that was published again', async () => {
  const ops = await opsOf([{ name: 'old', days: 60 }]);
  const { memory } = ops;
  const publishAgain = () => addBatch(memory, { name: 'old', table: TABLE, source: SOURCE, publishedMs: NOW });
  let slow: Promise<void> | undefined;
  const store = new Proxy(memory.store, {
    get(target, name: keyof ObjectStore) {
      const method = (target[name] as (...given: unknown[]) => unknown).bind(target);
      if (name !== 'delete') return method;
      return async (uri: string, generation?: string) => {
        // Meanwhile another sweep ends, and the messages come again.
        if (uri.endsWith(`${idOf('old')}.json`)) await (slow ??= sweep(ops).then(publishAgain));
        return method(uri, generation);
      };
    },
  });
  await sweep(ops, [], NOW, store);
  expect(left(ops)).toEqual({ old: '2 files manifest' });
});
