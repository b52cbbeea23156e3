import { afterAll, beforeAll, expect, test } from 'vitest';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import { earthquakes } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { publishBatch, quake } from '../support/rows.ts';
import { exportText, readWithPyIceberg } from '../support/silver-readers.ts';
import { startSpark } from '../support/spark.ts';
import type { Spark } from '../support/spark.ts';

let lake: Lake;
let spark: Spark;
let past: string;
const base = earthquakes();
const contractOf = (table: string) => ({ ...base, sink: { ...base.sink, table } });
const quakes = (prefix: string, count: number, version: number) =>
  Array.from({ length: count }, (_, index) =>
    quake(base, `${prefix}${index}`, version + index, {
      magnitude: index / 7,
      place: index % 3 ? 'S of Łódź "地震"' : null,
      significance: index,
      tsunami: index % 2 === 0,
    }),
  );

async function commit(table: string, rows: ReturnType<typeof quake>[]): Promise<string> {
  const contract = contractOf(table);
  const { batchId } = await publishBatch(lake.store, lake.deltas, contract, rows);
  const [done] = await commitWaiting(lake, contract, [batchId]);
  return done?.snapshotId ?? '';
}

const live = (table: string, version = '') =>
  spark.export(`SELECT * FROM lake.silver.${table}${version} WHERE NOT _tombstone ORDER BY event_id`);

/** Again until it gets through: a writer that comes second starts anew, as Temporal has our committer do. */
async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}

async function formats(table: string): Promise<string[]> {
  const found = await IcebergTable.load(lake.catalog, lake.store, 'silver', table);
  return [...new Set(((await found?.dataFiles()) ?? []).map((file) => file.file_format.toUpperCase()))].sort();
}

beforeAll(async () => {
  lake = await startLake();
  spark = startSpark(lake);
  past = await commit('earthquakes', quakes('us', 200, 1_700_000_000_000));
  await commit('earthquakes', [
    quake(base, 'us7', 1_700_000_001_000, { magnitude: 9.5 }),
    quake(base, 'us8', 1_700_000_001_000, { _tombstone: true }),
    quake(base, 'new', 1),
  ]);
});
afterAll(async () => {
  await spark.stop();
  await lake.stop();
});

test('Spark reads every row and field as our export has them', async () => {
  expect(await live('earthquakes')).toBe(await exportText(lake, contractOf('earthquakes')));
  expect(await spark.sql('SELECT count(*) AS n FROM lake.silver.earthquakes')).toEqual([{ n: 201 }]);
});

test('Spark sees our snapshots and travels to one', async () => {
  const snapshots = await spark.sql(
    'SELECT snapshot_id, operation FROM lake.silver.earthquakes.snapshots ORDER BY committed_at',
  );
  expect(snapshots.map(({ operation }) => operation)).toEqual(['append', 'overwrite']);
  expect(String(snapshots[0]?.snapshot_id)).toBe(past);
  expect(await live('earthquakes', ` VERSION AS OF ${past}`)).toBe(
    await exportText(lake, contractOf('earthquakes'), { snapshotId: past }),
  );
});

test("Spark's MERGE and our committer, both at once: nothing of either is lost", async () => {
  await commit('shared', quakes('us', 50, 1_700_000_000_000));
  const merge = (round: number) => `
    MERGE INTO lake.silver.shared t
    USING (SELECT * FROM lake.silver.shared WHERE event_id = 'us1'
           UNION ALL SELECT concat('spark', ${round}) AS event_id, * EXCEPT (event_id) FROM lake.silver.shared WHERE event_id = 'us2') s
    ON t.event_id = s.event_id
    WHEN MATCHED THEN UPDATE SET place = 'round ${round}'
    WHEN NOT MATCHED THEN INSERT *`;
  for (let round = 0; round < 3; round += 1) {
    await Promise.all([
      untilDone(() => spark.sql(merge(round))),
      untilDone(() => commit('shared', quakes(`ours${round}_`, 40, 1_700_000_000_000))),
    ]);
  }
  const ours = await exportText(lake, contractOf('shared'));
  const ids = ours
    .split('\n')
    .filter(Boolean)
    .map((text) => (JSON.parse(text) as { event_id: string }).event_id);
  const expected = [quakes('us', 50, 1), ...[0, 1, 2].map((round) => quakes(`ours${round}_`, 40, 1))].flat();
  expect(ids.sort()).toEqual([...expected.map((row) => row.event_id), 'spark0', 'spark1', 'spark2'].sort());
  expect(ours).toContain('"place":"round 2"');
  expect(await live('shared')).toBe(ours);
});

test('our committer goes on merging a table that Spark changed, and PyIceberg reads it', async () => {
  await commit('shared', [
    quake(base, 'us1', 1_700_000_009_000, { magnitude: 7 }),
    quake(base, 'spark1', 1_700_000_009_000, { magnitude: 8 }),
  ]);
  const ours = await exportText(lake, contractOf('shared'));
  expect(ours.split('\n')).toHaveLength(50 + 120 + 3 + 1);
  expect(ours).not.toContain('round 2');
  expect(await readWithPyIceberg(lake, 'shared')).toBe(ours);
});

test('Avro data files that Spark wrote are read and merged by our committer', async () => {
  await commit('avro', quakes('us', 50, 1_700_000_000_000));
  await spark.sql("ALTER TABLE lake.silver.avro SET TBLPROPERTIES ('write.format.default' = 'avro')");
  await spark.sql(
    "INSERT INTO lake.silver.avro SELECT concat('a', event_id) AS event_id, * EXCEPT (event_id) FROM lake.silver.avro",
  );
  expect(await formats('avro')).toEqual(['AVRO', 'PARQUET']);
  expect(await exportText(lake, contractOf('avro'))).toBe(await live('avro'));
  await commit('avro', quakes('aus', 50, 1_700_000_009_000));
  const ours = await exportText(lake, contractOf('avro'));
  expect(ours.split('\n')).toHaveLength(101);
  expect(await formats('avro')).toEqual(['PARQUET']);
  expect(await live('avro')).toBe(ours);
});
