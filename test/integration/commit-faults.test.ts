import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommitterResources } from '../../src/lakehouse/committer/index.ts';
import { commitWaiting, exportTable } from '../../src/lakehouse/committer/index.ts';
import { IcebergTable, RestCatalog } from '../../src/lakehouse/iceberg/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import type { CommitFault, FaultyProxy } from '../support/faulty-proxy.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';

let lake: Lake;
let proxy: FaultyProxy;
/** The lake through the proxy. */
let faulty: CommitterResources;
const base = earthquakes();
const contractOf = (table: string) => ({ ...base, sink: { ...base.sink, table } });

beforeAll(async () => {
  lake = await startLake();
  proxy = await startFaultyProxy(lake.catalogUrl);
  faulty = { ...lake, catalog: new RestCatalog({ uri: proxy.url, warehouse: 'gs://cupel-silver' }) };
});
afterAll(async () => {
  await proxy.stop();
  await lake.stop();
});

async function keysOf(table: string): Promise<string[]> {
  let text = '';
  for await (const part of exportTable(lake, contractOf(table))) text += part;
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { event_id: string }).event_id);
}

const load = async (table: string) =>
  (await IcebergTable.load(lake.catalog, lake.store, 'silver', table)) as IcebergTable;
const publish = (table: string, id: string) =>
  publishBatch(lake.store, lake.deltas, contractOf(table), [quake(base, id, 10)]);

test.each<CommitFault>(['drop-answer', 'send-twice'])('%s: the commit took effect, and is found', async (fault) => {
  const table = fault.replace('-', '_');
  const before = await publish(table, 'before');
  await commitWaiting(faulty, contractOf(table), [before.batchId]);
  const batch = await publish(table, 'spoiled');
  proxy.spoilNext(fault);
  const [done] = await commitWaiting(faulty, contractOf(table), [batch.batchId]);
  const { snapshots, current } = await load(table);
  expect(snapshots).toHaveLength(2);
  expect(done).toMatchObject({ outcome: 'committed', snapshotId: String(current?.['snapshot-id']) });
  expect(await keysOf(table)).toEqual(['before', 'spoiled']);
});

test('refused before it took effect: it is merged again, and committed once', async () => {
  const batch = await publish('refused', 'a');
  await commitWaiting(faulty, contractOf('refused'), [(await publish('refused', 'first')).batchId]);
  const commits = proxy.commits;
  proxy.spoilNext('refuse-before');
  const [done] = await commitWaiting(faulty, contractOf('refused'), [batch.batchId]);
  expect(done?.outcome).toBe('committed');
  expect(proxy.commits).toBe(commits + 1);
  expect((await load('refused')).snapshots).toHaveLength(2);
  expect(await keysOf('refused')).toEqual(['a', 'first']);
});

test('another writer was first: the merge is done again on what it left', async () => {
  const contract = contractOf('foreign');
  await commitWaiting(lake, contract, [(await publish('foreign', 'ours')).batchId]);
  // Between our read and our commit somebody else commits: the store is asked for the batch's delta right in between.
  const foreign = await publish('foreign', 'theirs');
  const batch = await publish('foreign', 'late');
  let once = false;
  const store = new Proxy(lake.store, {
    get(target, name, receiver: unknown) {
      const value = Reflect.get(target, name, target) as unknown;
      if (name !== 'read')
        return typeof value === 'function' ? (value.bind(target) as unknown) : Reflect.get(target, name, receiver);
      return async (uri: string) => {
        if (!once && uri === batch.files[0]?.uri) {
          once = true;
          await commitWaiting(lake, contract, [foreign.batchId]);
        }
        return target.read(uri);
      };
    },
  });
  const [done] = await commitWaiting({ ...lake, store }, contract, [batch.batchId]);
  expect(once).toBe(true);
  expect(done?.outcome).toBe('committed');
  expect((await load('foreign')).snapshots).toHaveLength(3);
  expect(await keysOf('foreign')).toEqual(['late', 'ours', 'theirs']);
});

test('a crash before the outcome was written: the batch is found in the snapshots and not committed again', async () => {
  const contract = contractOf('crash');
  const batch = await publish('crash', 'a');
  const [done] = await commitWaiting(lake, contract, [batch.batchId]);
  await lake.store.delete(`gs://cupel-ops/_deltas/silver.crash/${batch.batchId}.done.json`);
  const next = await publish('crash', 'b');
  const outcomes = await commitWaiting(lake, contract, [batch.batchId, next.batchId]);
  expect(outcomes[0]).toEqual(done);
  expect(outcomes[1]?.snapshotId).not.toBe(done?.snapshotId);
  expect((await load('crash')).snapshots).toHaveLength(2);
});
