import { afterAll, beforeAll, expect, test } from 'vitest';
import { commitWaiting, compact } from '../../src/lakehouse/committer/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';
import { exportText, readWithDuckDb, readWithPyIceberg } from '../support/silver-readers.ts';

let lake: Lake;
let past: string;
const contract = earthquakes();
const READERS = [
  ['PyIceberg', readWithPyIceberg],
  ['DuckDB', readWithDuckDb],
] as const;

async function commit(rows: ReturnType<typeof quake>[]): Promise<string> {
  const { batchId } = await publishBatch(lake.store, lake.deltas, contract, rows);
  const [done] = await commitWaiting(lake, contract, [batchId]);
  return done?.snapshotId ?? '';
}

beforeAll(async () => {
  lake = await startLake();
  const keys = Array.from({ length: 200 }, (_, index) => `us${index}`);
  past = await commit(
    keys.map((key, index) =>
      quake(contract, key, 1_700_000_000_000 + index, {
        magnitude: index / 7,
        place: index % 3 ? 'S of Łódź "地震"' : null,
        significance: index,
        tsunami: index % 2 === 0,
      }),
    ),
  );
  await commit([quake(contract, 'us7', 1_700_000_001_000, { magnitude: 9.5 }), quake(contract, 'new', 1, {})]);
  await commit([quake(contract, 'us8', 1_700_000_001_000, { _tombstone: true })]);
  await compact(lake, contract, { minFiles: 2 });
});
afterAll(() => lake.stop());

test.each(READERS)('%s reads every row and field as our export has them', async (_, read) => {
  const ours = await exportText(lake, contract);
  expect(ours.split('\n')).toHaveLength(201);
  expect(await read(lake, 'earthquakes')).toBe(ours);
});

test.each(READERS)('%s travels to a snapshot by its id', async (_, read) => {
  const ours = await exportText(lake, contract, { snapshotId: past });
  expect(ours).not.toContain('"new"');
  expect(await read(lake, 'earthquakes', past)).toBe(ours);
});
