import { afterAll, beforeAll, expect, test } from 'vitest';
import { bucketOf } from '../../src/contracts/index.ts';
import { commitWaiting, compact, digestTable, exportTable } from '../../src/lakehouse/committer/index.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { commitAvroFile } from '../support/iceberg-avro.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';

let lake: Lake;
const base = earthquakes();
/** A table of its own per test. */
const contractOf = (table: string) => ({ ...base, sink: { ...base.sink, table } });
/** Keys of the bucket of `a`. */
const keys = Array.from({ length: 500 }, (_, index) => `k${index}`)
  .filter((key) => bucketOf(key, base.sink.bucketCount) === bucketOf('k0', base.sink.bucketCount))
  .slice(0, 4) as [string, string, string, string];

beforeAll(async () => {
  lake = await startLake();
});
afterAll(() => lake.stop());

async function exported(table: string): Promise<Record<string, unknown>[]> {
  let text = '';
  for await (const part of exportTable(lake, contractOf(table))) text += part;
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function formats(table: string): Promise<string[]> {
  const found = await IcebergTable.load(lake.catalog, lake.store, 'silver', table);
  return ((await found?.dataFiles()) ?? []).map((file) => file.file_format).sort();
}

async function commit(table: string, rows: ReturnType<typeof quake>[]): Promise<void> {
  const contract = contractOf(table);
  const { batchId } = await publishBatch(lake.store, lake.deltas, contract, rows);
  await commitWaiting(lake, contract, [batchId]);
}

/** A row with a value in each column, and one with as many nulls as there may be. */
const full = quake(base, keys[0], 1_700_000_000_123, {
  magnitude: -1.25,
  place: '10 km S of Łódź, "north"',
  significance: 7,
  felt_reports: 12_345,
  tsunami: true,
  depth_km: 0.1,
});
const sparse = quake(base, keys[1], 20, { magnitude: null });

test('an Avro data file is read as if it were Parquet, in every column', async () => {
  await commit('as_parquet', [full, sparse]);
  await commitAvroFile(lake, contractOf('as_avro'), [full, sparse]);
  expect(await formats('as_avro')).toEqual(['AVRO']);
  expect(await digestTable(lake, contractOf('as_avro'))).toEqual(await digestTable(lake, contractOf('as_parquet')));
});

test('a merge takes the winner of each key from Avro and Parquet files, and writes Parquet', async () => {
  await commit('mixed', [quake(base, keys[2], 10)]);
  await commitAvroFile(lake, contractOf('mixed'), [full, sparse]);
  await commit('mixed', [quake(base, keys[1], 21, { magnitude: 3 }), quake(base, keys[0], 5, { magnitude: 9 })]);
  expect((await exported('mixed')).map((row) => [row.event_id, row.magnitude, row._first_version])).toEqual(
    [
      [keys[0], -1.25, '1970-01-01T00:00:00.005000Z'],
      [keys[1], 3, '1970-01-01T00:00:00.020000Z'],
      [keys[2], 1.5, '1970-01-01T00:00:00.010000Z'],
    ].sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
  );
  expect(await formats('mixed')).toEqual(['PARQUET', 'PARQUET']);
});

test('compaction makes Parquet of Avro files and changes no row', async () => {
  await commit('compacted', [quake(base, keys[2], 10)]);
  await commitAvroFile(lake, contractOf('compacted'), [full, sparse]);
  const before = await digestTable(lake, contractOf('compacted'));
  expect(await compact(lake, contractOf('compacted'), { minFiles: 2 })).toBe(1);
  expect(await formats('compacted')).toEqual(['PARQUET']);
  expect(await digestTable(lake, contractOf('compacted'))).toEqual(before);
});
