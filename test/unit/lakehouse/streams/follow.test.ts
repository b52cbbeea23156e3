import { beforeEach, expect, test } from 'vitest';
import type { Done, Manifest } from '../../../../src/lakehouse/deltas/index.ts';
import { StreamFollower } from '../../../../src/lakehouse/streams/index.ts';
import type { FollowState, OpenBatch, StreamEntry } from '../../../../src/lakehouse/streams/index.ts';

const WAIT_MS = 60_000;

const log = new Map<number, StreamEntry>();
const done = new Set<string>();
const swept = new Set<string>();
let submitted: string[] = [];
let recorded: string[] = [];
let nowMs = 0;

beforeEach(() => {
  log.clear();
  done.clear();
  swept.clear();
  [submitted, recorded, nowMs] = [[], [], 0];
});

const ids = (batches: OpenBatch[]): string => batches.map(({ batchId }) => batchId).join('+');

const resources = {
  log: {
    bounds: () =>
      Promise.resolve({ first: log.size ? Math.min(...log.keys()) : 1, next: Math.max(0, ...log.keys()) + 1 }),
    read: (number: number) => Promise.resolve(log.get(number)),
    remove: (number: number) => Promise.resolve(void log.delete(number)),
    close: (number: number) => {
      const entry = log.get(number);
      if (entry) log.set(number, { ...entry, over: true });
      return Promise.resolve();
    },
  },
  deltas: {
    readDone: (_: string, id: string) => Promise.resolve(done.has(id) ? ({} as Done) : undefined),
    readManifest: (_: string, id: string) => Promise.resolve(swept.has(id) ? undefined : ({} as Manifest)),
  },
  submit: (batches: OpenBatch[]) => Promise.resolve(void submitted.push(ids(batches))),
  record: (batches: OpenBatch[]) => Promise.resolve(void recorded.push(ids(batches))),
  now: () => nowMs,
};

function publish(number: number, contractUri = 'gs://ops/contracts/s/a.json'): void {
  const at = new Date(nowMs).toISOString();
  const span = { messages: 1, oldest: at, newest: at, fromHour: at.slice(0, 13) };
  log.set(number, { batchId: `b${number}`, table: 't', contractUri, at, ...span });
}

async function follower(state: FollowState = { next: 1, open: [], settled: [] }): Promise<StreamFollower> {
  const made = new StreamFollower(resources, state, WAIT_MS);
  await made.begin();
  return made;
}

test('batches wait for others until the first of them has waited long enough, and go together', async () => {
  const following = await follower();
  publish(1);
  await following.round(false);
  nowMs = 30_000;
  publish(2);
  await following.round(false);
  expect(submitted).toEqual([]);
  nowMs = WAIT_MS;
  await following.round(false);
  expect(submitted).toEqual(['b1+b2']);
});

test('batches of different contracts are submitted apart; a flush waits for nothing', async () => {
  const following = await follower();
  publish(1);
  publish(2, 'gs://ops/contracts/s/b.json');
  publish(3);
  await following.round(true);
  expect(submitted).toEqual(['b1+b3', 'b2']);
});

test('what is settled is recorded once, and leaves the log once its keeper knows, but for the newest entry', async () => {
  const following = await follower();
  [1, 2, 3].forEach((number) => publish(number));
  await following.round(true);
  done.add('b1').add('b3');
  expect(ids(await following.round(false))).toBe('b1+b3');
  expect(recorded).toEqual(['b1+b3']);
  expect([...log.keys()]).toEqual([1, 2, 3]);
  const next = await follower(following.state);
  expect([...log.keys()]).toEqual([2, 3]);
  done.add('b2');
  expect(ids(await next.round(false))).toBe('b2');
  expect(ids(await next.round(false))).toBe('');
  const last = await follower(next.state);
  expect([...log.keys()]).toEqual([3]);
  expect(last.state).toEqual({ next: 4, open: [], settled: [3] });
});

test('new batches are submitted while the ledger takes what is settled', async () => {
  const entered = Promise.withResolvers<void>();
  const record = async (batches: OpenBatch[]): Promise<void> => {
    await entered.promise;
    recorded.push(ids(batches));
  };
  const following = new StreamFollower({ ...resources, record }, { next: 1, open: [], settled: [] }, 0);
  publish(1);
  await following.look();
  done.add('b1');
  await following.look();
  publish(2);
  await following.look();
  expect(submitted).toEqual(['b1', 'b2']);
  expect(recorded).toEqual([]);
  entered.resolve();
  await following.round(false);
  expect(recorded).toEqual(['b1']);
  expect(ids(following.state.open)).toBe('b2');
});

test('what cannot be entered into the ledger shows at a later look, and stays open', async () => {
  const record = (): Promise<void> => Promise.reject(new Error('the ledger is away'));
  const following = new StreamFollower({ ...resources, record }, { next: 1, open: [], settled: [] }, 0);
  publish(1);
  await following.look();
  done.add('b1');
  const looks = async (): Promise<void> => {
    for (;;) await following.look();
  };
  await expect(looks()).rejects.toThrow('the ledger is away');
  expect(ids(following.state.open)).toBe('b1');
});

test('a batch that stays unsettled is submitted again', async () => {
  const following = await follower();
  publish(1);
  await following.round(true);
  await following.round(true);
  expect(submitted).toEqual(['b1']);
  nowMs = 60_000;
  await following.round(false);
  expect(submitted).toEqual(['b1', 'b1']);
});

test('an attempt whose answer was lost is repeated: all that it settled is found and counted once more', async () => {
  [1, 2, 3, 4].forEach((number) => publish(number));
  const lost = await follower();
  await lost.round(true);
  ['b1', 'b2', 'b3'].forEach((id) => done.add(id));
  await lost.round(true);

  const again = await follower();
  expect(ids(await again.round(true))).toBe('b1+b2+b3');
  expect(ids(again.state.open)).toBe('b4');
  expect(again.state.next).toBe(5);
});

test('entries that were removed before the state was made are not waited for', async () => {
  [7, 8].forEach((number) => publish(number));
  const following = await follower();
  await following.round(true);
  expect(ids(following.state.open)).toBe('b7+b8');
});

test('what a job that was thought dead appends where an entry was removed is not overlooked', async () => {
  [1, 2, 3].forEach((number) => publish(number));
  const before = await follower();
  await before.round(true);
  ['b1', 'b2', 'b3'].forEach((id) => done.add(id));
  await before.round(true);
  const { state } = await follower(before.state);
  expect([...log.keys()]).toEqual([3]);
  publish(1);
  const after = await follower(state);
  expect(ids(after.state.open)).toBe('b1');
  expect(after.state.next).toBe(4);
});

test('the newest entry is closed once it is settled or let go: no job that starts later waits for it', async () => {
  [1, 2].forEach((number) => publish(number));
  const { state } = await follower({ next: 3, open: [], settled: [1, 2] });
  expect([...log.entries()].map(([number, { over }]) => [number, over])).toEqual([[2, true]]);
  expect(state.settled).toEqual([2]);
  // Whoever follows from the beginning takes it for what it is.
  const fresh = await follower();
  await fresh.round(true);
  expect(fresh.state).toEqual({ next: 3, open: [], settled: [2] });
  expect(submitted).toEqual([]);
});

test('of a batch that was swept while the stream stood still nobody waits for an outcome', async () => {
  const following = await follower();
  publish(1);
  await following.round(true);
  nowMs = 50 * 24 * 3_600_000;
  publish(2);
  swept.add('b1');
  expect(ids(await following.round(false))).toBe('b1');
  expect(following.state.open.map(({ batchId }) => batchId)).toEqual(['b2']);
});
